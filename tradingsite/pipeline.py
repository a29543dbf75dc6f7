"""THE chain: ingest, predict, decide, place. The only file that knows all the stages."""
