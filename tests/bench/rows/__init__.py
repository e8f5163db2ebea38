"""One module a kind of figure. Each offers `rows(context)`, which measures and yields `Row`s."""
