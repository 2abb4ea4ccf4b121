/* Measuring candidates: interleaved rounds on seeded data, medians. Room: engine. */
#include "engine/tune.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/cpu.h"
#include "base/log.h"
#include "base/pool.h"
#include "engine/plan.h"
#include "ir/text.h"

#define ROUNDS   7        /* odd, as is FEWEST: a median is one of the times */
#define FEWEST   3        /* rounds, where they take longer than GROUP_NS together */
#define ROUND_NS 200000.0 /* a round repeats a step until it takes about this long */
#define GROUP_NS 60e6
#define MUCH     ((size_t)16 << 20) /* bytes of candidates that are given back at once */
#define INLINE_LIMIT 16 /* elements of constants that a key depends on, at most */
#define HOPELESS 2.0 /* times the quickest: slower ones take no part in the rounds */

/* What runs the kernels, and how they are packed. */
static hone_status *put_machine(const hone_bench_group *group, const hone_backend *backend,
                                hone_text *out) {
  char isa[64];
  hone_text_puts(out, "\n");
  if (backend->device)
    HONE_TRY(backend->device->describe(out));
  else
    hone_text_printf(out, "%s %s %d", hone_cpu_name(),
                     hone_cpu_isa_text(hone_cpu_isa(), isa, sizeof isa), group->threads);
  hone_text_printf(out, " %u\n", backend->packing_version);
  return NULL;
}

static void put_inputs(const hone_bench_group *group, hone_text *out) {
  for (int i = 0; i < group->body->input_count; i++) {
    const hone_type *type = &group->inputs[i];
    hone_text_printf(out, "%s", hone_dtype_name(type->dtype));
    for (int d = 0; d < type->shape.rank; d++)
      hone_text_printf(out, " %lld", (long long)type->shape.dim[d]);
    size_t bytes;
    if (group->known[i] && hone_shape_bytes(&type->shape, type->dtype, &bytes))
      hone_text_printf(out, " =%llx",
                       (unsigned long long)XXH3_64bits(group->known[i]->data, bytes));
    hone_text_puts(out, "\n");
  }
}

static void put_key(const hone_text *text, char *key) {
  XXH128_hash_t hash = XXH3_128bits(text->data, text->size);
  snprintf(key, HONE_TIMING_KEY, "%016llx%016llx", (unsigned long long)hash.high64,
           (unsigned long long)hash.low64);
}

/* What follows the body in the text that is hashed. */
static hone_status *finish_key(const hone_bench_group *group, const hone_backend *backend,
                               hone_text *text, char *key) {
  HONE_TRY(put_machine(group, backend, text));
  put_inputs(group, text);
  HONE_TRY(hone_text_status(text));
  put_key(text, key);
  return NULL;
}

hone_status *hone_timing_key(const hone_bench_group *group, const hone_backend *backend,
                             char *key) {
  hone_text text = {0};
  hone_status *status = hone_graph_print(group->body, INLINE_LIMIT, NULL, NULL, &text);
  if (!status) status = finish_key(group, backend, &text, key);
  hone_text_free(&text);
  return status;
}

hone_status *hone_kind_key(const hone_bench_group *group, const hone_backend *backend, char *key) {
  hone_text text = {0};
  hone_status *status = hone_graph_print_nameless(group->body, INLINE_LIMIT, &text);
  if (!status) status = finish_key(group, backend, &text, key);
  hone_text_free(&text);
  return status;
}

/* One candidate made ready to run. */
typedef struct contender {
  hone_prepared prepared;
  hone_step step;
  void *scratch;
  int repeats;
  double once; /* the shorter of the first two runs */
  double times[ROUNDS];
  int rounds;
  bool runs;
} contender;

typedef struct bench {
  hone_arena memory;
  hone_type *types; /* of the body's values */
  const hone_datum **known;
  void **pointers; /* inputs, then outputs */
} bench;

/* No multiplication is by a denormal. */
void hone_seed_elements(const hone_type *type, void *data, size_t bytes) {
  memset(data, 0, bytes);
  size_t count;
  if (hone_dtype_class_of(type->dtype) != HONE_CLASS_FLOAT ||
      !hone_shape_count(&type->shape, &count))
    return;
  uint32_t state = 12345;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    hone_store_real(type->dtype, data, i, (double)(int32_t)state / 2147483648.0);
  }
}

static hone_status *buffer_for(bench *b, const hone_type *type, const hone_datum *known,
                               void **out) {
  size_t bytes;
  if (!hone_shape_bytes(&type->shape, type->dtype, &bytes))
    return hone_error(HONE_UNSUPPORTED, "a size is not known");
  *out = hone_arena_alloc(&b->memory, bytes + 64);
  HONE_TRY_MEMORY(*out);
  if (known)
    memcpy(*out, known->data, bytes);
  else
    hone_seed_elements(type, *out, bytes);
  return NULL;
}

static hone_status *set_up(bench *b, const hone_bench_group *group) {
  const hone_graph *body = group->body;
  b->types = HONE_NEW_ARRAY(&b->memory, body->next_id + 1, hone_type);
  b->known = HONE_NEW_ARRAY(&b->memory, body->next_id + 1, const hone_datum *);
  b->pointers = HONE_NEW_ARRAY(&b->memory, body->input_count + body->output_count + 1, void *);
  if (!b->types || !b->known || !b->pointers) return hone_error_memory();
  for (int i = 0; i < body->input_count; i++) {
    b->types[body->inputs[i]->id] = group->inputs[i];
    b->known[body->inputs[i]->id] = group->known[i];
  }
  HONE_TRY(hone_infer_body(body, b->types, b->known, &b->memory));
  for (int i = 0; i < body->input_count; i++)
    HONE_TRY(buffer_for(b, &group->inputs[i], group->known[i], &b->pointers[i]));
  for (int i = 0; i < body->output_count; i++)
    HONE_TRY(buffer_for(b, &b->types[body->outputs[i].value->id], NULL,
                        &b->pointers[body->input_count + i]));
  return NULL;
}

typedef struct timed_phase {
  const hone_step *step;
  int phase;
  hone_kernel_io io;
} timed_phase;

static void phase_part(void *argument, int part, int parts) {
  const timed_phase *t = argument;
  t->step->phases[t->phase](t->step->args, &t->io, part, parts);
}

static double time_once(const bench *b, const hone_bench_group *group, const contender *c,
                        int repeats) {
  timed_phase t = {
      .step = &c->step,
      .io = {
          .in = b->pointers, .out = b->pointers + group->body->input_count, .scratch = c->scratch}};
  int parts = c->step.parts < group->threads ? c->step.parts : group->threads;
  hone_team team;
  uint64_t start = hone_now();
  hone_team_open(&team, parts);
  for (int r = 0; r < repeats; r++)
    for (t.phase = 0; t.phase < c->step.phase_count; t.phase++)
      for (t.io.turn = 0; t.io.turn <= c->step.repeats[t.phase]; t.io.turn++)
        hone_team_run(&team, parts < 1 ? 1 : parts, phase_part, &t);
  hone_team_close(&team);
  return (double)(hone_now() - start) / repeats;
}

static hone_status *make_ready(bench *b, const hone_bench_group *group, const hone_backend *backend,
                               const hone_candidate *candidate, contender *c) {
  hone_status *status = backend->prepare(group->body, candidate->name, candidate->variant, NULL, 0,
                                         NULL, &b->memory, &c->prepared);
  hone_group_view view = {group->body, b->types, group->known, group->threads};
  if (!status) status = backend->plan(&c->prepared, &view, &b->memory, &c->step);
  if (hone_status_code(status) == HONE_UNSUPPORTED) {
    hone_status_free(status);
    return NULL;
  }
  HONE_TRY(status);
  c->scratch = hone_arena_alloc(&b->memory, c->step.scratch + 64);
  HONE_TRY_MEMORY(c->scratch);
  memset(c->scratch, 0, c->step.scratch + 64);
  c->runs = true;
  double first = time_once(b, group, c, 1), second = time_once(b, group, c, 1);
  c->once = first < second ? first : second;
  c->repeats = second >= ROUND_NS ? 1 : (int)(ROUND_NS / (second + 1)) + 1;
  return NULL;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double hone_median(double *times, int count) {
  qsort(times, (size_t)count, sizeof(double), by_value);
  return times[count / 2];
}

static double quickest(const contender *contenders, size_t count) {
  double best = 0;
  for (size_t i = 0; i < count; i++)
    if (contenders[i].runs && (best == 0 || contenders[i].once < best)) best = contenders[i].once;
  return best;
}

/* All that have a chance take turns, round by round, so that what the machine does meanwhile
 * strikes all. */
static void run_rounds(const bench *b, const hone_bench_group *group, contender *contenders,
                       size_t count) {
  double best = quickest(contenders, count);
  uint64_t start = hone_now();
  int rounds = ROUNDS;
  for (int round = 0; round < rounds; round++) {
    for (size_t i = 0; i < count; i++) {
      contender *c = &contenders[i];
      if (c->runs && c->once <= best * HOPELESS)
        c->times[c->rounds++] = time_once(b, group, c, c->repeats);
    }
    if (round + 1 == FEWEST && (double)(hone_now() - start) > GROUP_NS) rounds = FEWEST;
  }
}

static hone_status *time_all(bench *b, const hone_bench_group *group, const hone_backend *backend,
                             const hone_candidate *candidates, contender *contenders,
                             size_t count) {
  HONE_TRY(set_up(b, group));
  for (size_t i = 0; i < count; i++)
    HONE_TRY(make_ready(b, group, backend, &candidates[i], &contenders[i]));
  run_rounds(b, group, contenders, count);
  return NULL;
}

/* The median of a contender's rounds, of what is hopeless the first runs' time; -1: cannot run. */
static double time_of(contender *c) {
  if (!c->runs) return -1;
  if (!c->rounds) return c->once;
  return hone_median(c->times, c->rounds);
}

static _Atomic uint64_t timings;
uint64_t hone_timing_count(void) {
  return atomic_load(&timings);
}

hone_status *hone_time_candidates(const hone_bench_group *group, const hone_backend *backend,
                                  const hone_candidate *candidates, size_t count,
                                  double *nanoseconds) {
  bench b = {0};
  atomic_fetch_add(&timings, count);
  contender *contenders = HONE_NEW_ARRAY(&b.memory, count + 1, contender);
  hone_status *status = contenders ? time_all(&b, group, backend, candidates, contenders, count)
                                   : hone_error_memory();
  for (size_t i = 0; !status && i < count; i++) nanoseconds[i] = time_of(&contenders[i]);
  bool much = b.memory.total > MUCH;
  hone_arena_free(&b.memory);
  if (much) hone_memory_trim();
  return status;
}
