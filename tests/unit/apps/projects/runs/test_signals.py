from service.apps.projects.runs.signals import code_of


def test_a_signal_has_the_code_that_a_shell_gives_it() -> None:
    assert (code_of("SIGTERM"), code_of("SIGNONE"), code_of("__class__")) == (143, None, None)
