/* The thread pool. Room: base.
 *
 * Each worker has a slot that says whether it is free. A caller takes free ones by
 * compare-and-swap, writes its crew's address, and wakes those that sleep by futex: no lock, and
 * two callers never wait for each other. Callers alone set slots free again, so nobody waits for a
 * worker to notice.
 *
 * Crews are static and outlive every team: a worker that comes late, or was away while its team
 * closed, finds either no part to take, or one of a later team that it may as well do. What a
 * part's work is, it reads only after it took the part, and the caller changes that only when all
 * taken parts are done.
 */
#include "base/pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cpu.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define MAX_WORKERS (HONE_MOST_PARTS - 1)
#define MAX_CREWS   64 /* teams at once; further callers work alone */
#define SPINS       2000

#define PART_WORDS (HONE_MOST_PARTS / 64)

typedef struct hone_crew {
  _Alignas(64) hone_part_work *work; /* of the phase whose parts are open or pending */
  void *argument;
  int parts;
  _Atomic uint32_t turn;             /* changes with every phase, and on closing; a futex */
  _Atomic uint64_t open[PART_WORDS]; /* parts that nobody has taken, by bit */
  _Alignas(
      64) _Atomic uint32_t pending; /* parts that are not done, but for the caller's own; a futex */
  _Atomic uint32_t waiting;         /* the caller sleeps until none is pending */
  _Alignas(64) _Atomic uint32_t sleepers; /* workers that sleep until the turn changes */
  _Atomic bool closed;
  _Atomic bool busy; /* somebody's team */
} hone_crew;

enum { ABSENT, IDLE, TAKEN };

typedef struct worker_slot {
  _Alignas(64) _Atomic uint32_t state;
  _Atomic uint32_t signal; /* 1: there is work; a futex */
  _Atomic uint32_t asleep;
  _Atomic(hone_crew *) crew; /* to serve */
  _Atomic int index;         /* the part to look for first */
} worker_slot;

static worker_slot slots[MAX_WORKERS];
static hone_crew crews[MAX_CREWS];
static _Thread_local unsigned last_crew; /* whose workers may still be spinning */
static _Atomic int slot_count;
static pthread_mutex_t grow_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool inside; /* this thread is a worker, or has a team open */

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

/* Takes a part of the crew: `wanted`, if nobody has, else the first that is left. */
static bool take_part(hone_crew *crew, int wanted, int *part) {
  for (int i = 0; i < PART_WORDS; i++) {
    int word = (wanted / 64 + i) % PART_WORDS;
    uint64_t left;
    while ((left = atomic_load_explicit(&crew->open[word], memory_order_relaxed))) {
      uint64_t mine = i == 0 ? left & UINT64_C(1) << wanted % 64 : 0;
      if (!mine) mine = left & -left;
      uint64_t before = atomic_fetch_and_explicit(&crew->open[word], ~mine, memory_order_acquire);
      if (!(before & mine)) continue;
      *part = word * 64 + __builtin_ctzll(mine);
      return true;
    }
  }
  return false;
}

static void finish_part(hone_crew *crew) {
  if (atomic_fetch_sub(&crew->pending, 1) == 1 && atomic_load(&crew->waiting))
    futex_wake(&crew->pending, 1);
}

/* Spins, then sleeps, until the crew's turn is not `turn` any more. */
static void wait_for_turn(hone_crew *crew, uint32_t turn) {
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load_explicit(&crew->turn, memory_order_acquire) != turn) return;
    relax();
  }
  atomic_fetch_add(&crew->sleepers, 1);
  while (atomic_load(&crew->turn) == turn) futex_wait(&crew->turn, turn);
  atomic_fetch_sub(&crew->sleepers, 1);
}

static void serve(hone_crew *crew, int index) {
  for (;;) {
    uint32_t turn = atomic_load_explicit(&crew->turn, memory_order_acquire);
    int part;
    while (take_part(crew, index, &part)) {
      crew->work(crew->argument, part, crew->parts);
      finish_part(crew);
    }
    if (atomic_load_explicit(&crew->closed, memory_order_relaxed)) return;
    wait_for_turn(crew, turn);
  }
}

static void *worker_main(void *argument) {
  worker_slot *slot = argument;
  inside = true;
  mode_set();
  for (;;) {
    wait_for_work(slot);
    atomic_store(&slot->signal, 0);
    serve(atomic_load(&slot->crew), atomic_load(&slot->index));
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
  memset(crews, 0, sizeof crews);
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

/* A crew that no team has; NULL when all are busy. */
static hone_crew *take_crew(void) {
  for (unsigned i = 0; i < MAX_CREWS; i++) {
    hone_crew *crew = &crews[(last_crew + i) % MAX_CREWS];
    if (atomic_load_explicit(&crew->busy, memory_order_relaxed) ||
        atomic_exchange(&crew->busy, true))
      continue;
    last_crew = (last_crew + i) % MAX_CREWS;
    return crew;
  }
  return NULL;
}

/* Takes up to `wanted` idle workers for the crew, and calls them; how many. */
static int take_workers(hone_crew *crew, int wanted) {
  int count = 0, there = atomic_load_explicit(&slot_count, memory_order_acquire);
  for (int i = 0; i < there && count < wanted; i++) {
    worker_slot *slot = &slots[i];
    uint32_t idle = IDLE;
    if (atomic_load_explicit(&slot->state, memory_order_relaxed) != IDLE ||
        !atomic_compare_exchange_strong(&slot->state, &idle, TAKEN))
      continue;
    atomic_store(&slot->crew, crew);
    atomic_store(&slot->index, ++count);
    atomic_store(&slot->signal, 1);
    if (atomic_load(&slot->asleep)) futex_wake(&slot->signal, 1);
  }
  return count;
}

static void release_workers(hone_crew *crew, int count) {
  for (int i = 0; count > 0 && i < MAX_WORKERS; i++) {
    if (atomic_load_explicit(&slots[i].state, memory_order_relaxed) != TAKEN ||
        atomic_load_explicit(&slots[i].crew, memory_order_relaxed) != crew)
      continue;
    atomic_store_explicit(&slots[i].state, IDLE, memory_order_release);
    count--;
  }
}

/* A new turn: who sleeps for it wakes up. */
static void next_turn(hone_crew *crew, int wanted) {
  atomic_fetch_add(&crew->turn, 1);
  if (atomic_load(&crew->sleepers)) futex_wake(&crew->turn, wanted);
}

void hone_team_open(hone_team *team, int threads) {
  *team = (hone_team){.mode = mode_set(), .was_inside = inside};
  inside = true;
  if (threads <= 1 || team->was_inside || !(team->crew = take_crew())) return;
  hone_pool_reserve(threads);
  atomic_store_explicit(&team->crew->closed, false, memory_order_relaxed);
  team->borrowed = take_workers(team->crew, threads - 1 < MAX_WORKERS ? threads - 1 : MAX_WORKERS);
}

static void wait_for_parts(hone_crew *crew) {
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load_explicit(&crew->pending, memory_order_acquire) == 0) return;
    relax();
  }
  atomic_store(&crew->waiting, 1);
  for (uint32_t left; (left = atomic_load(&crew->pending));) futex_wait(&crew->pending, left);
  atomic_store(&crew->waiting, 0);
}

void hone_team_run(hone_team *team, int parts, hone_part_work *work, void *argument) {
  hone_crew *crew = team->crew;
  if (!crew || !team->borrowed || parts <= 1) {
    for (int part = 0; part < parts; part++) work(argument, part, parts);
    return;
  }
  crew->work = work;
  crew->argument = argument;
  crew->parts = parts;
  atomic_store_explicit(&crew->pending, (uint32_t)parts - 1, memory_order_relaxed);
  for (int word = 0; word * 64 < parts; word++) {
    uint64_t all =
        parts - word * 64 >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (parts - word * 64)) - 1;
    atomic_store_explicit(&crew->open[word], word ? all : all & ~UINT64_C(1), memory_order_release);
  }
  next_turn(crew, parts - 1);
  int part = 0;
  work(argument, part, parts);
  while (take_part(crew, 0, &part)) {
    work(argument, part, parts);
    atomic_fetch_sub_explicit(&crew->pending, 1, memory_order_relaxed);
  }
  wait_for_parts(crew);
}

void hone_team_close(hone_team *team) {
  hone_crew *crew = team->crew;
  if (crew) {
    atomic_store(&crew->closed, true);
    next_turn(crew, MAX_WORKERS);
    release_workers(crew, team->borrowed);
    atomic_store(&crew->busy, false);
  }
  inside = team->was_inside;
  mode_restore(team->mode);
}

void hone_pool_run(int parts, hone_part_work *work, void *argument) {
  hone_team team;
  hone_team_open(&team, parts);
  hone_team_run(&team, parts, work, argument);
  hone_team_close(&team);
}
