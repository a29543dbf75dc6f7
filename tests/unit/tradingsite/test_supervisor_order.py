from tradingsite.supervisor.order import Order


def test_an_order_survives_its_way_through_the_command_line():
    order = Order(
        mode="demo",
        data_dir="/data/my var",
        log_file="/data/my var/trading_system.log",
        port=8000,
        with_web=True,
        with_broker=False,
        sim_port=9443,
        sim_data='/candles/"quoted"',
        sim_speed=100.0,
        sim_mirror="https://data-api.binance.vision",
        asked_at_s=12.25,
    )

    assert Order.from_text(order.to_text()) == order
