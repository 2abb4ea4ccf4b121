/* The thread pool: sharing, nesting, fork, lost cores, the order of turns. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define MOST 64

typedef struct job {
  _Atomic int calls[MOST]; /* by part */
  _Atomic int wrong;
  int turn;
  int rows[MOST]; /* by part: the turn it was written in */
} job;

static void count_part(void *argument, int part, int parts) {
  (void)parts;
  atomic_fetch_add(&((job *)argument)->calls[part], 1);
}

static void check_each_once(int parts) {
  job j = {.wrong = 0};
  hone_pool_run(parts, count_part, &j);
  for (int i = 0; i < MOST; i++) CHECK(j.calls[i] == (i < parts));
}

TEST(runs_each_part_once) {
  for (int parts = 1; parts <= MOST; parts++) check_each_once(parts);
}

TEST(runs_more_parts_than_threads) {
  job j = {.wrong = 0};
  hone_team team;
  hone_team_open(&team, 2);
  hone_team_run(&team, MOST, count_part, &j);
  hone_team_close(&team);
  for (int i = 0; i < MOST; i++) CHECK(j.calls[i] == 1);
}

/* Reads what another part wrote in the turn before, and what the caller wrote since. */
static void follow_part(void *argument, int part, int parts) {
  job *j = argument;
  int before = j->rows[(part + j->turn) % parts + parts * (j->turn & 1)];
  if (before != j->turn - 1) atomic_fetch_add(&j->wrong, 1);
  j->rows[part + parts * (~j->turn & 1)] = j->turn;
}

static int follow(int threads, int parts, int turns) {
  job j = {.wrong = 0};
  hone_team team;
  hone_team_open(&team, threads);
  for (j.turn = 1; j.turn < turns; j.turn++) hone_team_run(&team, parts, follow_part, &j);
  hone_team_close(&team);
  return j.wrong;
}

TEST(keeps_order_between_turns) {
  CHECK(follow(4, 4, 5000) == 0);
  CHECK(follow(3, 17, 1000) == 0);
}

static void nested_part(void *argument, int part, int parts) {
  (void)part, (void)parts;
  job inner = {.wrong = 0};
  hone_team team;
  hone_team_open(&team, 4);
  hone_team_run(&team, 4, count_part, &inner);
  if (team.crew) atomic_fetch_add(&((job *)argument)->wrong, 1);
  hone_team_close(&team);
  for (int i = 0; i < 4; i++)
    if (inner.calls[i] != 1) atomic_fetch_add(&((job *)argument)->wrong, 1);
}

TEST(runs_nested_teams_alone) {
  job j = {.wrong = 0};
  hone_pool_run(3, nested_part, &j);
  CHECK(j.wrong == 0);
}

static void *caller(void *argument) {
  (void)argument;
  for (int i = 0; i < 200; i++) {
    if (follow(2, 2 + i % 3, 10)) return (void *)1;
  }
  return NULL;
}

/* Eight callers at once, as eight contexts or another runtime's pool would be. */
TEST(serves_eight_callers) {
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, caller, NULL);
  for (int i = 0; i < 8; i++) {
    void *wrong;
    pthread_join(threads[i], &wrong);
    CHECK(wrong == NULL);
  }
}

#if defined _OPENMP && !defined __SANITIZE_THREAD__ /* which does not know OpenMP's barriers */
/* Called from every thread of another runtime's team, in a team of OpenMP's own. */
TEST(serves_a_team_of_openmp) {
  int wrong = 0, threads = 0;
#pragma omp parallel num_threads(4) reduction(+ : wrong, threads)
  {
    threads += 1;
    for (int i = 0; i < 50; i++) wrong += follow(3, 4, 10);
  }
  CHECK(threads >= 1 && wrong == 0);
}
#endif

TEST(starts_anew_after_fork) {
  check_each_once(3);
  pid_t child = fork();
  if (child == 0) _exit(follow(3, 3, 100) != 0);
  int status = 1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  check_each_once(3);
}

/* More workers than cores: slower, never stuck. */
TEST(goes_on_when_a_core_is_taken) {
  cpu_set_t old, one;
  sched_getaffinity(0, sizeof old, &old);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &old)) {
      CPU_SET(i, &one);
      break;
    }
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(follow(4, 4, 200) == 0);
  sched_setaffinity(0, sizeof old, &old);
}

TEST(splits_evenly) {
  for (size_t total = 0; total < 40; total++)
    for (int parts = 1; parts < 7; parts++) {
      size_t at = 0;
      for (int part = 0; part < parts; part++) {
        size_t begin, end;
        hone_split(total, 4, part, parts, &begin, &end);
        CHECK(begin == at && end >= begin && (end % 4 == 0 || end == total));
        at = end;
      }
      CHECK(at == total);
    }
}

int main(void) {
  RUN(runs_each_part_once);
  RUN(runs_more_parts_than_threads);
  RUN(keeps_order_between_turns);
  RUN(runs_nested_teams_alone);
  RUN(serves_eight_callers);
#if defined _OPENMP && !defined __SANITIZE_THREAD__
  RUN(serves_a_team_of_openmp);
#endif
  RUN(starts_anew_after_fork);
  RUN(goes_on_when_a_core_is_taken);
  RUN(splits_evenly);
  return check_report();
}
