# SPDX-License-Identifier: BSD-2-Clause
"""The strikes, as a table: kind, phase, and what is done.

A strike is a function of a Stage and a source of chance.  It breaks something
while mail goes on, and mends it as an administrator or an init system would;
the caller then waits until mail is accepted and recorded again.
"""
import collections

import strikes_disk
import strikes_flip
import strikes_kill
import strikes_power
import strikes_time

Strike = collections.namedtuple("Strike", "kind phase strike")

ALL = [Strike(*row) for module in (strikes_kill, strikes_power, strikes_disk, strikes_time, strikes_flip)
       for row in module.strikes()]
