from service.stream.hypercorn.budget import Budget


def test_as_much_at_once_as_there_is_and_not_one_more() -> None:
    budget = Budget(3, 1, 10.0)
    assert [budget.take(1, 10.0) for _ in range(4)] == [True, True, True, False]


def test_it_is_filled_again_at_its_rate_and_no_further() -> None:
    budget = Budget(3, 2, 0.0)
    assert budget.take(3, 0.0)
    assert budget.take(1, 0.5)
    assert not budget.take(1, 0.75)
    assert budget.take(3, 100.0)
    assert not budget.take(0.1, 100.0)


def test_what_was_refused_was_taken() -> None:
    """Who goes on asking stays refused."""
    budget = Budget(2, 1, 0.0)
    assert not budget.take(5, 0.0)
    assert not budget.take(1, 3.0)
    assert budget.take(1, 6.0)


def test_credit_fills_it_no_further_either() -> None:
    budget = Budget(2, 1, 0.0)
    budget.give(10)
    assert budget.take(2, 0.0)
    budget.give(1.5)
    assert budget.take(1.5, 0.0)
    assert not budget.take(0.5, 0.0)


def test_what_is_only_remembered_is_forgotten_in_the_time_that_it_fills_again() -> None:
    budget = Budget(10, 1, 0.0)
    for _ in range(1_000):
        budget.take(10, 0.0)
        budget.settle()
    assert not budget.take(1, 10.0)
    assert budget.take(1, 12.0 + 1)
