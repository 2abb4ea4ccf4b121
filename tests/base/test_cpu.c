/* Processor facts: sets that imply each other, limits, counts; and the log. */
#include "base/cpu.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hone/hone.h>

#include "base/log.h"
#include "check.h"

TEST(sets_are_steps) {
  uint32_t isa = hone_cpu_isa();
  if (isa & HONE_ISA_AVX512) CHECK(isa & HONE_ISA_AVX2);
  if (isa & (HONE_ISA_VNNI | HONE_ISA_BF16)) CHECK(isa & HONE_ISA_AVX512);
  char text[64];
  hone_cpu_isa_text(isa, text, sizeof text);
  CHECK((strstr(text, "avx2") != NULL) == ((isa & HONE_ISA_AVX2) != 0));
#if defined(__x86_64__)
  CHECK(!(isa & HONE_ISA_AVX2) || __builtin_cpu_supports("avx2"));
  CHECK(!(isa & HONE_ISA_AVX512) || __builtin_cpu_supports("avx512bw"));
  CHECK(!(isa & HONE_ISA_VNNI) || __builtin_cpu_supports("avx512vnni"));
#endif
  CHECK(strcmp(hone_cpu_isa_text(0, text, sizeof text), "plain") == 0);
  CHECK(strcmp(hone_cpu_isa_text(3, text, sizeof text), "avx2 avx512") == 0);
  CHECK(strlen(hone_cpu_isa_text(31, text, 8)) == 7);
}

TEST(limits_hold) {
  uint32_t isa = hone_cpu_isa();
  hone_cpu_limit(HONE_ISA_AVX2);
  CHECK(hone_cpu_isa() == (isa & HONE_ISA_AVX2));
  hone_cpu_limit(0);
  CHECK(hone_cpu_isa() == HONE_ISA_PLAIN);
  hone_cpu_limit(UINT32_MAX);
  CHECK((hone_cpu_isa() & isa) == isa);
}

/* What hone_cpu_isa answers in a process that starts with HONE_CPU set to `value`; the variable is
 * read once, so that each question needs a process of its own. */
static uint32_t isa_under(const char *program, const char *value) {
  pid_t child = fork();
  if (child == 0) {
    setenv("HONE_CPU", value, 1);
    execl(program, program, "isa", (char *)NULL);
    _exit(255);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 255;
}

TEST(the_variable_lowers) {
  char self[4096];
  ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
  CHECK(size > 0);
  self[size > 0 ? size : 0] = 0;
  uint32_t all = isa_under(self, "");
  CHECK(isa_under(self, "plain") == 0);
  CHECK(isa_under(self, "avx2") == (all & HONE_ISA_AVX2));
  CHECK(isa_under(self, "avx512") == (all & (HONE_ISA_AVX2 | HONE_ISA_AVX512)));
  CHECK(isa_under(self, "amx") == all);
}

TEST(facts_are_there) {
  CHECK(*hone_cpu_name() != 0 && *hone_cpu_name() != ' ');
  CHECK(hone_cpu_cache(1) >= 8 << 10 && hone_cpu_cache(2) >= hone_cpu_cache(1));
  CHECK(hone_cpu_cache(3) > 0 && hone_cpu_cache(4) == 0);
}

TEST(counts_follow_the_affinity) {
  cpu_set_t old, one;
  CHECK(sched_getaffinity(0, sizeof old, &old) == 0);
  int count = hone_cpu_count(), first = 0;
  CHECK(count >= 1 && count <= CPU_COUNT(&old));
  while (!CPU_ISSET(first, &old)) first++;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(hone_cpu_count() == 1);
  CHECK(sched_setaffinity(0, sizeof old, &old) == 0);
  CHECK(hone_cpu_count() == count);
}

typedef struct heard {
  int severity;
  char message[2000];
} heard;

static void listen(void *argument, int severity, const char *message) {
  heard *h = argument;
  h->severity = severity;
  snprintf(h->message, sizeof h->message, "%s", message);
}

TEST(the_logger_hears_every_line) {
  heard h = {.severity = -1};
  hone_set_logger(listen, &h);
  hone_log(HONE_LOG_INFO, "%d steps", 3);
  CHECK(h.severity == 2 && strcmp(h.message, "3 steps") == 0);
  hone_log(HONE_LOG_ERROR, "%1500d", 1);
  CHECK(h.severity == 0 && strlen(h.message) == 999);
  hone_set_logger(NULL, NULL);
  hone_log(HONE_LOG_VERBOSE, "unheard");
  CHECK(strstr(h.message, "unheard") == NULL);
}

TEST(the_clock_goes_forward) {
  uint64_t before = hone_now();
  usleep(2000);
  CHECK(hone_now() - before >= 2000000);
}

int main(int count, char **arguments) {
  if (count == 2 && strcmp(arguments[1], "isa") == 0) return (int)hone_cpu_isa();
  RUN(sets_are_steps);
  RUN(limits_hold);
  RUN(the_variable_lowers);
  RUN(facts_are_there);
  RUN(counts_follow_the_affinity);
  RUN(the_logger_hears_every_line);
  RUN(the_clock_goes_forward);
  return check_report();
}
