import socket
import subprocess
import sys

from core.processes import is_gone, own_identity


def test_it_tells_the_living_from_the_dead():
    child = subprocess.Popen(
        [sys.executable, "-c", "from core.processes import *; print(own_identity()); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    identity = child.stdout.readline().strip()

    assert not is_gone(own_identity())
    assert not is_gone(identity)
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert is_gone(identity)


def test_a_number_that_was_given_to_another_process_is_gone():
    host, number, _ = own_identity().split(":")

    assert is_gone(f"{host}:{number}:1.00")


def test_of_other_machines_it_knows_nothing():
    assert not is_gone("another:1:1.00")
    assert not is_gone("")
    assert not is_gone(socket.gethostname())
