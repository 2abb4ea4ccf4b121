/* The thread pool. Room: base.
 *
 * Each worker has a slot with a word that says what it does: ABSENT, IDLE, TAKEN. A caller takes idle
 * workers by compare-and-swap, writes its team's address, and wakes those that sleep by futex. So a
 * call takes no lock, and two callers never wait for each other: the later one gets fewer workers.
 */
#include "base/pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cpu.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define MAX_WORKERS 255
#define SPINS 2000

struct hone_team {
  hone_team_work *work;
  void *argument;
  int workers;
  _Alignas(64) _Atomic uint32_t arrived;    /* at the barrier */
  _Alignas(64) _Atomic uint32_t generation; /* of the barrier; a futex */
  _Atomic uint32_t sleepers;                /* at the barrier */
  _Alignas(64) _Atomic uint32_t running;    /* borrowed workers not yet done; a futex */
};

enum { ABSENT, IDLE, TAKEN };

typedef struct worker_slot {
  _Alignas(64) _Atomic uint32_t state;
  _Atomic uint32_t signal; /* 1: there is work; a futex */
  _Atomic uint32_t asleep;
  hone_team *team;
  int index;               /* in the team */
} worker_slot;

static worker_slot slots[MAX_WORKERS];
static _Atomic int slot_count;
static pthread_mutex_t grow_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool inside; /* this thread is a worker, or a caller within its own call */

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}
static void futex_wake(_Atomic uint32_t *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static inline void relax(void) {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/* Rounding to nearest, denormals kept, no traps: the same arithmetic on every thread. */
static unsigned mode_set(void) {
#if defined(__x86_64__)
  unsigned old = _mm_getcsr();
  _mm_setcsr(0x1f80);
  return old;
#else
  return 0;
#endif
}
static void mode_restore(unsigned old) {
#if defined(__x86_64__)
  _mm_setcsr(old);
#else
  (void)old;
#endif
}

/* Spins, then sleeps, until the slot's signal comes. */
static void wait_for_work(worker_slot *slot) {
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load_explicit(&slot->signal, memory_order_acquire)) return;
    relax();
  }
  atomic_store(&slot->asleep, 1);
  while (!atomic_load(&slot->signal)) futex_wait(&slot->signal, 0);
  atomic_store(&slot->asleep, 0);
}

static void *worker_main(void *argument) {
  worker_slot *slot = argument;
  inside = true;
  mode_set();
  for (;;) {
    wait_for_work(slot);
    atomic_store_explicit(&slot->signal, 0, memory_order_relaxed);
    hone_team *team = slot->team;
    team->work(team, slot->index, team->workers, team->argument);
    atomic_store_explicit(&slot->state, IDLE, memory_order_release);
    /* After the last decrement the caller may return and the team be gone: the wake-up then goes to
     * an address where nobody waits, which is harmless. */
    if (atomic_fetch_sub(&team->running, 1) == 1) futex_wake(&team->running, 1);
  }
  return NULL;
}

/* A child has none of its parent's threads: it starts with an empty pool. */
static void forget_workers(void) {
  for (int i = 0; i < MAX_WORKERS; i++) {
    atomic_store(&slots[i].state, ABSENT);
    atomic_store(&slots[i].signal, 0);
    atomic_store(&slots[i].asleep, 0);
  }
  atomic_store(&slot_count, 0);
  pthread_mutex_init(&grow_lock, NULL);
  inside = false;
}

static bool start_worker(int index) {
  pthread_t thread;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  atomic_store(&slots[index].state, IDLE);
  sigset_t all, old; /* signals are for the program's own threads */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  bool started = pthread_create(&thread, &attributes, worker_main, &slots[index]) == 0;
  if (!started) atomic_store(&slots[index].state, ABSENT);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_attr_destroy(&attributes);
  return started;
}

void hone_pool_reserve(int threads) {
  int wanted = threads - 1 < MAX_WORKERS ? threads - 1 : MAX_WORKERS;
  if (atomic_load_explicit(&slot_count, memory_order_acquire) >= wanted) return;
  pthread_mutex_lock(&grow_lock);
  static bool watched;
  if (!watched) watched = pthread_atfork(NULL, NULL, forget_workers) == 0;
  int count = atomic_load(&slot_count);
  while (count < wanted && start_worker(count)) atomic_store(&slot_count, ++count);
  pthread_mutex_unlock(&grow_lock);
}

int hone_pool_default_threads(void) {
  const char *text = getenv("HONE_THREADS");
  int asked = text ? atoi(text) : 0;
  int here = hone_cpu_count();
  return asked >= 1 && asked < here ? asked : here;
}

/* Takes up to `wanted` idle workers; their slots' indices go to `taken`. */
static int take_workers(int wanted, int *taken) {
  int count = 0, there = atomic_load_explicit(&slot_count, memory_order_acquire);
  for (int i = 0; i < there && count < wanted; i++) {
    uint32_t idle = IDLE;
    if (atomic_load_explicit(&slots[i].state, memory_order_relaxed) == IDLE &&
        atomic_compare_exchange_strong(&slots[i].state, &idle, TAKEN))
      taken[count++] = i;
  }
  return count;
}

void hone_pool_run(int threads, hone_team_work *work, void *argument) {
  int taken[MAX_WORKERS], count = 0;
  unsigned mode = mode_set();
  bool was_inside = inside;
  if (threads > 1 && !was_inside) {
    hone_pool_reserve(threads);
    count = take_workers(threads - 1 < MAX_WORKERS ? threads - 1 : MAX_WORKERS, taken);
  }
  hone_team team = {.work = work, .argument = argument, .workers = count + 1};
  atomic_init(&team.running, (uint32_t)count);
  for (int i = 0; i < count; i++) {
    worker_slot *slot = &slots[taken[i]];
    slot->team = &team;
    slot->index = i + 1;
    atomic_store(&slot->signal, 1);
    if (atomic_load(&slot->asleep)) futex_wake(&slot->signal, 1);
  }
  inside = true;
  work(&team, 0, team.workers, argument);
  inside = was_inside;
  for (int spin = 0;; spin++) {
    uint32_t left = atomic_load_explicit(&team.running, memory_order_acquire);
    if (left == 0) break;
    if (spin < SPINS) relax();
    else futex_wait(&team.running, left);
  }
  mode_restore(mode);
}

/* Sense by generation: the last to arrive opens the barrier for all. */
void hone_team_wait(hone_team *team) {
  if (team->workers == 1) return;
  uint32_t generation = atomic_load_explicit(&team->generation, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 ==
      (uint32_t)team->workers) {
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    atomic_store(&team->generation, generation + 1);
    if (atomic_load(&team->sleepers)) futex_wake(&team->generation, MAX_WORKERS);
    return;
  }
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load_explicit(&team->generation, memory_order_acquire) != generation) return;
    relax();
  }
  atomic_fetch_add(&team->sleepers, 1);
  while (atomic_load(&team->generation) == generation) futex_wait(&team->generation, generation);
  atomic_fetch_sub(&team->sleepers, 1);
}
