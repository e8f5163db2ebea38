"""What goes with a question: files as many as fit, and the end of an output."""

from service.apps.projects.llm.fences import show
from service.apps.projects.llm.prompts import FILES_MAX, OUTPUT_MAX, end_of, prompt, shown_files


def test_what_a_prompt_is_filled_with_stays_as_it_is() -> None:
    assert 'application "$title ${x} $$"' in prompt("documentation", title="$title ${x} $$", files="")


def test_files_that_an_output_names_come_first_and_what_does_not_fit_is_named() -> None:
    files = {"app/a.py": "a\n", "app/b.py": "b\n", "app/long.py": "x" * FILES_MAX}
    shown = shown_files(files, files.__getitem__, first='File "/tmp/app/b.py", line 1')
    assert shown.startswith(show("app/b.py", "b\n"))
    assert show("app/a.py", "a\n") in shown
    assert shown.endswith("(There are also, too long to be shown: app/long.py)\n")
    assert len(shown) < 200


def test_of_a_long_output_the_end_goes_along_in_whole_lines() -> None:
    output = "".join(f"line {number}\n" for number in range(1_000))
    end = end_of(output)
    assert end.startswith("[...]\nline ")
    assert output.endswith(end.removeprefix("[...]\n"))
    assert OUTPUT_MAX - 20 < len(end) <= OUTPUT_MAX + 6
    assert end_of("x" * OUTPUT_MAX) == "x" * OUTPUT_MAX
    assert end_of("x" * (OUTPUT_MAX + 1)) == "[...]\n" + "x" * OUTPUT_MAX
