/* Running bodies on the CPU backend against their references: every candidate on every instruction
 * set, every number of parts the same bits, outputs and scratch poisoned. */
#ifndef HONE_TESTS_CPU_BODIES_H
#define HONE_TESTS_CPU_BODIES_H

#include <math.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "backend/cpu/simd/isa.h"
#include "base/cpu.h"
#include "check.h"
#include "engine/plan.h"
#include "ir/text.h"
#include "numerics.h"

static hone_bytes body_weights; /* what @weights+N in bodies points into */
static int bodies_on_kernels;   /* how many candidates ran, so that tests see that some did */
static int body_phases;         /* of the last candidate that ran */
static size_t body_repeats;      /* and of its last phase */

typedef struct body_run {
  const char *text;
  double tolerance;
  hone_graph *body;
  hone_arena memory;
  hone_datum *in, *want;
  const hone_datum **lent;
  hone_type *types;
  const hone_datum **known;
} body_run;

static bool body_any_byte; /* inputs of 8 bits take all values */

/* Seeded elements: floats in -2..2, integers in 0..3 (they may be indices), truths of both kinds.
 */
static void body_fill(hone_dtype dtype, void *data, size_t count, uint32_t seed) {
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    double unit = (double)(int32_t)(seed ^ (seed >> 15)) / 2147483648.0;
    if (hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT)
      hone_store_real(dtype, data, i, 2 * unit);
    else if (body_any_byte && (dtype == HONE_U8 || dtype == HONE_S8))
      hone_store_int(dtype, data, i, (int64_t)(seed >> 24) - (dtype == HONE_S8 ? 128 : 0));
    else
      hone_store_int(dtype, data, i, (int64_t)(seed >> 16) % (dtype == HONE_BOOL ? 2 : 4));
  }
}

static bool body_make_inputs(body_run *r) {
  const hone_graph *g = r->body;
  r->in = HONE_NEW_ARRAY(&r->memory, g->input_count + 1, hone_datum);
  r->lent = HONE_NEW_ARRAY(&r->memory, g->input_count + 1, const hone_datum *);
  r->want = HONE_NEW_ARRAY(&r->memory, g->output_count + 1, hone_datum);
  r->types = HONE_NEW_ARRAY(&r->memory, g->next_id + 1, hone_type);
  r->known = HONE_NEW_ARRAY(&r->memory, g->next_id + 1, const hone_datum *);
  for (int i = 0; i < g->input_count; i++) {
    const hone_type *type = &g->inputs[i]->type;
    size_t bytes = 0, count = 0;
    if (!hone_shape_count(&type->shape, &count)) return false;
    hone_shape_bytes(&type->shape, type->dtype, &bytes);
    r->in[i] = (hone_datum){.dtype = type->dtype, .shape = type->shape};
    r->in[i].data = hone_arena_alloc(&r->memory, bytes + 64);
    body_fill(type->dtype, r->in[i].data, count, 77u + (uint32_t)i);
    r->lent[i] = &r->in[i];
    r->types[g->inputs[i]->id] = *type;
    if (g->inputs[i]->place == HONE_PLACE_HOST) r->known[g->inputs[i]->id] = &r->in[i];
  }
  return true;
}

static bool body_same(const hone_datum *want, const void *got, double tolerance) {
  size_t count = hone_datum_count(want);
  for (size_t i = 0; i < count; i++) {
    if (hone_dtype_class_of(want->dtype) != HONE_CLASS_FLOAT) {
      int64_t a = hone_load_int(want->dtype, want->data, i);
      int64_t b = hone_load_int(want->dtype, got, i);
      if (a == b) continue;
      fprintf(stderr, "element %zu: want %lld, got %lld\n", i, (long long)a, (long long)b);
      return false;
    }
    double a = hone_load_real(want->dtype, want->data, i), b = hone_load_real(want->dtype, got, i);
    if (near_element(b, a, tolerance)) continue;
    fprintf(stderr, "element %zu of %zu: want %.9g, got %.9g\n", i, count, a, b);
    return false;
  }
  return true;
}

static bool body_run_parts(body_run *r, const hone_step *step, int parts, void **out) {
  const hone_graph *g = r->body;
  void *in[64];
  for (int i = 0; i < g->input_count; i++) in[i] = r->in[i].data;
  unsigned char *scratch = hone_arena_alloc(&r->memory, step->scratch + 128);
  memset(scratch, 0xff, step->scratch + 128);
  for (int i = 0; i < g->output_count; i++) {
    size_t bytes = 0;
    hone_shape_bytes(&r->want[i].shape, r->want[i].dtype, &bytes);
    out[i] = hone_arena_alloc(&r->memory, bytes + 128);
    memset(out[i], 0xff, bytes + 128);
  }
  hone_kernel_io io = {.in = in, .out = out, .scratch = scratch};
  for (int phase = 0; phase < step->phase_count; phase++)
    for (io.turn = 0; io.turn <= step->repeats[phase]; io.turn++)
      for (int part = 0; part < parts; part++) step->phases[phase](step->args, &io, part, parts);
  bool whole = true;
  for (int i = 0; i < 64; i++) whole = whole && scratch[step->scratch + (size_t)i] == 0xff;
  for (int o = 0; o < g->output_count; o++) {
    size_t bytes = 0;
    hone_shape_bytes(&r->want[o].shape, r->want[o].dtype, &bytes);
    for (size_t i = 0; i < 64; i++) whole = whole && ((unsigned char *)out[o])[bytes + i] == 0xff;
  }
  if (!whole) fprintf(stderr, "wrote beyond the end\n");
  return whole;
}

static bool body_candidate(body_run *r, const char *name) {
  static const int test_parts[] = {1, 2, 3, 5};
  hone_prepared prepared;
  const hone_datum *known[64] = {0};
  hone_status *status = hone_backend_cpu.prepare(r->body, name, 0, NULL, 0, NULL, &r->memory, &prepared);
  for (int i = 0; i < r->body->input_count; i++) known[i] = r->known[r->body->inputs[i]->id];
  hone_group_view view = {r->body, r->types, known, 5};
  hone_step step;
  if (!status) status = hone_backend_cpu.plan(&prepared, &view, &r->memory, &step);
  if (status) {
    fprintf(stderr, "%s\n", hone_status_message(status));
    hone_status_free(status);
    return false;
  }
  void *first[16], *out[16];
  bool good = true;
  for (int p = 0; p < 4 && good; p++) {
    good = body_run_parts(r, &step, test_parts[p], p ? out : first);
    for (int o = 0; o < r->body->output_count && good; o++) {
      size_t bytes = 0;
      hone_shape_bytes(&r->want[o].shape, r->want[o].dtype, &bytes);
      if (p == 0)
        good = body_same(&r->want[o], first[o], r->tolerance);
      else if (memcmp(first[o], out[o], bytes) != 0) {
        fprintf(stderr, "%d parts give other bits\n", test_parts[p]);
        good = false;
      }
    }
  }
  bodies_on_kernels++;
  body_phases = step.phase_count;
  body_repeats = step.repeats[step.phase_count - 1];
  return good;
}

static void body_report(const body_run *r, const char *name, uint32_t isa) {
  char text[64];
  fprintf(stderr, "  kernel %s on '%s' of\n%s\n", name, hone_cpu_isa_text(isa, text, sizeof text),
          r->text);
  check_failed++;
}

static void body_on_isa(body_run *r, uint32_t isa, bool expected) {
  hone_candidate candidates[16];
  hone_cpu_limit(isa);
  size_t count = hone_backend_cpu.candidates(r->body, candidates, 16);
  if (count == 0 && expected) body_report(r, "(none takes it)", isa);
  for (size_t i = 0; i < count; i++)
    if (!body_candidate(r, candidates[i].name)) body_report(r, candidates[i].name, isa);
  hone_cpu_limit(~0u);
}

/* A data-shaped op is planned with the bounds that its rule gives. */
static hone_status *body_bounds(body_run *r) {
  const hone_node *n = r->body->first;
  const hone_type *in[8] = {NULL};
  const hone_datum *value[8] = {NULL};
  hone_type out[8] = {{0}};
  if (!n || !(n->op->facts & HONE_DATA_SHAPED)) return NULL;
  for (int i = 0; i < n->input_count; i++) {
    const hone_value *v = n->inputs[i].value;
    if (!v) continue;
    in[i] = &r->types[v->id];
    value[i] = r->known[v->id];
  }
  hone_infer infer = {n, NULL, n->input_count, n->output_count, in, value, out};
  HONE_TRY(n->op->infer(&infer));
  for (int i = 0; i < n->output_count; i++)
    if (n->outputs[i]) r->types[n->outputs[i]->id] = out[i];
  return NULL;
}

/* Checks one body; `tolerance` is absolute up to 1 and relative beyond. */
static inline void check_body(const char *text, double tolerance) {
  body_run r = {.text = text, .tolerance = tolerance};
  hone_status *status = hone_graph_parse(text, strlen(text), hone_op_find, body_weights, &r.body);
  if (!status && !body_make_inputs(&r)) status = hone_error(HONE_INTERNAL, "a size is missing");
  if (!status) status = hone_interpret(r.body, r.lent, r.want, &r.memory);
  if (!status) status = hone_infer_body(r.body, r.types, r.known, &r.memory);
  if (!status) status = body_bounds(&r);
  if (status) {
    fprintf(stderr, "%s: %s\n%s\n", hone_status_place(status), hone_status_message(status), text);
    hone_status_free(status);
    check_failed++;
  } else {
    const uint32_t isas[] = {~0u, HONE_ISA_AVX2, HONE_ISA_PLAIN};
    for (int i = 0; i < 3; i++) body_on_isa(&r, isas[i], true);
  }
  hone_graph_free(r.body);
  hone_arena_free(&r.memory);
}

#endif
