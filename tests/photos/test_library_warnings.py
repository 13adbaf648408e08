import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

from relight_cli.photos.library_warnings import library_warnings


def test_threads_that_collect_at_a_time_get_their_own_warnings() -> None:
    barrier = threading.Barrier(8)

    def read(number: int) -> list[str]:
        with library_warnings() as warned:
            barrier.wait()
            for _ in range(2):
                warnings.warn(f"of\n file {number}", stacklevel=1)
            barrier.wait()
        return list(warned)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [[f"of file {number}"] for number in range(8)]


def test_a_thread_that_does_not_collect_keeps_its_warnings() -> None:
    def other() -> None:
        warnings.warn("of a program", stacklevel=1)
        warnings.warn("unwanted", DeprecationWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        with library_warnings() as warned:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        warnings.warn("afterwards", stacklevel=1)
    assert not warned
    assert [str(one.message) for one in shown] == ["of a program", "afterwards"]


def test_inside_of_another_the_inner_one_collects() -> None:
    with library_warnings() as outer:
        with library_warnings() as inner:
            warnings.warn("first", stacklevel=1)
        warnings.warn("second", stacklevel=1)
    assert (list(inner), list(outer)) == (["first"], ["second"])
