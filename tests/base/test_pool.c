/* The thread pool: sharing, nesting, fork, lost cores, the barrier. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

typedef struct job {
  _Atomic int calls;
  int seen[64];
  int rounds;
  _Atomic int wrong;
  int shared[2];
} job;

static void count_work(hone_team *team, int worker, int workers, void *argument) {
  (void)team;
  job *j = argument;
  j->seen[worker] = workers;
  atomic_fetch_add(&j->calls, 1);
}

/* Every worker is called once and told the same number of workers, whatever that is. */
static void check_one_call(int threads) {
  job j = {.calls = 0};
  hone_pool_run(threads, count_work, &j);
  int workers = j.seen[0];
  CHECK(workers >= 1 && workers <= threads && j.calls == workers);
  for (int i = 0; i < workers; i++) CHECK(j.seen[i] == workers);
}

TEST(calls_each_worker_once) {
  for (int threads = 1; threads < 9; threads++) check_one_call(threads);
}

/* What a worker wrote before the barrier is seen by all after it. */
static void barrier_work(hone_team *team, int worker, int workers, void *argument) {
  job *j = argument;
  for (int i = 0; i < j->rounds; i++) {
    if (worker == i % workers) j->shared[i & 1] = i;
    hone_team_wait(team);
    if (j->shared[i & 1] != i) atomic_fetch_add(&j->wrong, 1);
    hone_team_wait(team);
  }
}

TEST(keeps_order_at_the_barrier) {
  job j = {.rounds = 2000};
  hone_pool_run(4, barrier_work, &j);
  CHECK(j.wrong == 0);
}

static void nested_work(hone_team *team, int worker, int workers, void *argument) {
  (void)team, (void)worker, (void)workers;
  job inner = {.calls = 0};
  hone_pool_run(4, count_work, &inner);
  if (inner.calls != 1) atomic_fetch_add(&((job *)argument)->wrong, 1);
}

TEST(runs_nested_calls_alone) {
  job j = {.calls = 0};
  hone_pool_run(3, nested_work, &j);
  CHECK(j.wrong == 0);
}

static void *caller(void *argument) {
  (void)argument;
  for (int i = 0; i < 200; i++) {
    job j = {.rounds = 5};
    hone_pool_run(2, barrier_work, &j);
    if (j.wrong) return (void *)1;
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
    for (int i = 0; i < 50; i++) {
      job j = {.rounds = 5};
      hone_pool_run(3, barrier_work, &j);
      wrong += j.wrong;
    }
  }
  CHECK(threads >= 1 && wrong == 0);
}
#endif

TEST(starts_anew_after_fork) {
  check_one_call(3);
  pid_t child = fork();
  if (child == 0) {
    job j = {.rounds = 50};
    hone_pool_run(3, barrier_work, &j);
    _exit(j.wrong != 0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  check_one_call(3);
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
  job j = {.rounds = 100};
  hone_pool_run(4, barrier_work, &j);
  CHECK(j.wrong == 0);
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
  RUN(calls_each_worker_once);
  RUN(keeps_order_at_the_barrier);
  RUN(runs_nested_calls_alone);
  RUN(serves_eight_callers);
#if defined _OPENMP && !defined __SANITIZE_THREAD__
  RUN(serves_a_team_of_openmp);
#endif
  RUN(starts_anew_after_fork);
  RUN(goes_on_when_a_core_is_taken);
  RUN(splits_evenly);
  return check_report();
}
