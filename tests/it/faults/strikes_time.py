# SPDX-License-Identifier: BSD-2-Clause
"""What takes time, in compressed time; clocks; reloads; the bus."""
import contextlib
import os
import signal

# Times that two minutes may pass before the sensor says that nobody answers.
TOLD_AFTER = 100
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def stop_collector(stage, source):
    """The collector stands still for minutes; the sensor loses patience, says so and connects anew."""
    with collector_stopped(stage) as silent:
        wait_told(stage, source, silent)


def stop_collector_unanswered(stage, source):
    """As before, and the sensor is a new process that it has never answered."""
    with collector_stopped(stage) as silent:
        stage.kill("milter process")
        wait_told(stage, source, silent)


@contextlib.contextmanager
def collector_stopped(stage):
    """Gives how often the sensor had said before that the collector is silent."""
    # Of one that is silent already it would say no more.
    stage.wait(lambda: stage.said_last("milter.log", " collector-connected ", " collector-silent "),
               "the sensor is connected")
    pid = stage.wait_pid("collector")
    silent = stage.said("milter.log", " collector-silent ")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield silent
    finally:
        os.kill(pid, signal.SIGCONT)


def wait_told(stage, source, silent):
    for _ in range(TOLD_AFTER):
        # A batch is sent, and not acknowledged for longer than the sensor waits.
        stage.wait_accepted(count=source.randint(2, 4))
        stage.shim.pass_time(2 * MINUTE_S)
        stage.wait_accepted()
        if stage.said("milter.log", " collector-silent ") > silent:
            return
    raise AssertionError(f"the sensor does not say that the collector is silent\n{stage.logs()}")


def collector_away(stage, source):
    stage.kill_collector()
    for _ in range(source.randint(2, 6)):
        stage.wait_accepted()
        stage.shim.pass_time(HOUR_S)
        stage.shim.step_clock(HOUR_S)
    stage.wait_accepted()
    stage.start_collector()


def step_clock(direction):
    def strike(stage, source):
        by = direction * source.choice([2, HOUR_S, DAY_S, 30 * DAY_S])
        stage.shim.step_clock(by)
        stage.wait_progress()
        stage.shim.step_clock(-by)
    return strike


def reload_milter(stage, source):
    """The number of workers changes: the scanner is another after it."""
    stage.site.set("scanner", workers=source.choice("1234"))
    stage.reload_milter()


def reload_milter_wrongly(stage, source):
    """What cannot be read is refused, and the former configuration holds."""
    before = stage.said("milter.log", " reload-refused ")
    stage.site.set("scanner", workers="many")
    os.kill(stage.wait_pid("supervisor"), signal.SIGHUP)
    stage.wait(lambda: stage.said("milter.log", " reload-refused ") > before, "the reload is refused")
    stage.site.set("scanner", workers="2")


def reload_collector(stage, source):
    before = stage.said("collect.log", " keys-reloaded ")
    os.kill(stage.wait_pid("collector"), signal.SIGHUP)
    stage.wait(lambda: stage.said("collect.log", " keys-reloaded ") > before, "the collector reloads")


def cut_bus(stage, source):
    stage.link.cut()
    try:
        stage.wait_accepted("mail is accepted without the bus", count=source.randint(2, 10))
        if source.random() < 0.5:
            stage.shim.pass_time(MINUTE_S)
            stage.wait_accepted()
    finally:
        stage.link.restore()


def strikes():
    yield "SIGSTOP", "of the collector for minutes", stop_collector
    yield "SIGSTOP", "of the collector before it answers a new process", stop_collector_unanswered
    yield "collector away", "for hours", collector_away
    yield "clock stepped", "forward", step_clock(1)
    yield "clock stepped", "back", step_clock(-1)
    yield "reload", "of the milter", reload_milter
    yield "reload", "of the milter, refused", reload_milter_wrongly
    yield "reload", "of the collector", reload_collector
    yield "bus cut", "and restored", cut_bus
