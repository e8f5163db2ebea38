"""What holds for all tests."""

import signal


def pytest_configure() -> None:
    """Programs that tests start have a shell's signals, whoever has started the tests: what `nohup`, or a shell of a
    job in the background, has them ignore would be inherited.
    """
    for number, usual in (
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
