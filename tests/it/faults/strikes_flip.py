# SPDX-License-Identifier: BSD-2-Clause
"""A byte at rest flips: it is found and reported with the remedy, and nothing is half-read."""


def strikes():
    return ()
