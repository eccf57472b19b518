"""Lesson 2: a closed form, and the mean of squares of normal numbers within five standard deviations."""


def expected(array, data):
    n = 100_000
    total = n * (n + 1) * (2 * n + 1) // 6
    assert total < 2**53
    return {
        "args": [],
        "stdout_contains": [f"1 + 4 + 9 + ... + {n}^2 = {total}"],
        "scalars": [{"after": "normal numbers: ", "value": 1.0, "abs": 5 * (2 / n) ** 0.5}],
    }
