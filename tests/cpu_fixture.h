/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu_fixture.h - an end for what a hostile input would make run for hours.
 *
 * For Test(…, .init = limit_cpu): the process ends by SIGXCPU.  It is time of the
 * processor, not of the clock, and many times what the test takes, even instrumented:
 * a busy machine fails nothing, and what is not linear in its input does.
 */
#ifndef MAILTRACE_TESTS_CPU_FIXTURE_H
#define MAILTRACE_TESTS_CPU_FIXTURE_H

#include <criterion/criterion.h>
#include <sys/resource.h>

#define CPU_SECONDS 60

static void
limit_cpu(void)
{
	struct rlimit limit = {.rlim_cur = CPU_SECONDS, .rlim_max = RLIM_INFINITY};

	cr_assert_eq(setrlimit(RLIMIT_CPU, &limit), 0);
}
#endif
