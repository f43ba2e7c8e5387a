"""Calls that may never come back."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from consumers.kafka.deadline import Deadline, Overdue


def test_a_call_gives_what_its_function_gives_and_raises_what_it_raises() -> None:
    deadline = Deadline("client")
    assert deadline.call(5.0, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        deadline.call(5.0, divmod, 7, 0)
    assert deadline.call(5.0, int, "11", base=2) == 3
    deadline.close()


def test_calls_run_on_one_thread_that_is_not_the_callers() -> None:
    deadline = Deadline("client")
    threads = {deadline.call(5.0, threading.get_ident) for _ in range(5)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    deadline.close()


def test_each_of_several_threads_gets_the_answer_to_its_own_call() -> None:
    deadline = Deadline("client")

    def own(number: int) -> list[int]:
        return [deadline.call(5.0, lambda: time.sleep(0.0005) or number) for _ in range(50)]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(own, range(4))) == [[number] * 50 for number in range(4)]
    deadline.close()


def test_a_call_that_does_not_come_back_is_given_up_and_no_other_is_tried() -> None:
    deadline = Deadline("client")
    stuck = threading.Event()
    with pytest.raises(Overdue, match=r"client: wait has not come back within 0\.05 s"):
        deadline.call(0.05, stuck.wait)
    assert deadline.overdue
    with pytest.raises(Overdue, match="int is not tried"):
        deadline.call(5.0, int, "1")
    stuck.set()


def test_a_closed_one_lets_its_thread_end() -> None:
    deadline = Deadline("the thread that ends")
    deadline.call(5.0, int)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "the thread that ends"]
    deadline.close()
    thread.join(5)
    assert not thread.is_alive()
