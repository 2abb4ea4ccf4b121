/* rotary_embedding nodes of floats: pairs of features turned by an angle of the token's place.
 * Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/lines/index.h"
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/products/real.h"
#include "base/pool.h"

enum { X, COS, SIN, POSITIONS };

typedef struct rotary {
  size_t batch, heads, tokens, size; /* of x */
  size_t pairs, table;               /* of a head; rows of the tables */
  size_t place_batch;                /* rows of positions, or of the tables where there are none */
  size_t place_tokens;
  hone_dtype positions; /* none: the tables are in order */
  bool interleaved;
  const hone_real_lines *lines;
} rotary;

static size_t row_of(const rotary *r, const hone_kernel_io *io, size_t n, size_t token) {
  size_t row = (r->place_batch == 1 ? 0 : n) * r->place_tokens + token;
  if (!r->positions) return row;
  int64_t place = hone_load_int(r->positions, io->in[POSITIONS], row);
  return hone_place_at(io, POSITIONS, row, place, r->table);
}

static void turn_neighbours(const real *x, const real *cosine, const real *sine, size_t pairs,
                            real *y) {
  for (size_t i = 0; i < pairs; i++) {
    real a = x[2 * i], b = x[2 * i + 1];
    y[2 * i] = a * cosine[i] - b * sine[i];
    y[2 * i + 1] = b * cosine[i] + a * sine[i];
  }
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const rotary *r = args;
  size_t begin, end;
  hone_split(r->batch * r->heads * r->tokens, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t row = row_of(r, io, i / r->tokens / r->heads, i % r->tokens);
    const real *x = (const real *)io->in[X] + i * r->size;
    const real *cosine = (const real *)io->in[COS] + row * r->pairs;
    const real *sine = (const real *)io->in[SIN] + row * r->pairs;
    real *y = (real *)io->out[0] + i * r->size;
    if (r->interleaved)
      turn_neighbours(x, cosine, sine, r->pairs, y);
    else
      r->lines->turn(x, x + r->pairs, cosine, sine, r->pairs, y, y + r->pairs);
    memcpy(y + 2 * r->pairs, x + 2 * r->pairs, (r->size - 2 * r->pairs) * sizeof *y);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return node->inputs[X].value->type.dtype == HONE_REAL_DTYPE;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[X]->shape, *table = &view->in[COS]->shape;
  const hone_type *positions = view->in[POSITIONS];
  const hone_shape *where = positions ? &positions->shape : table;
  rotary *r = HONE_NEW(arena, rotary);
  HONE_TRY_MEMORY(r);
  *r = (rotary){.batch = (size_t)x->dim[0],
                .heads = (size_t)x->dim[1],
                .tokens = (size_t)x->dim[2],
                .size = (size_t)x->dim[3],
                .pairs = (size_t)table->dim[table->rank - 1],
                .table = (size_t)table->dim[0],
                .place_batch = (size_t)where->dim[0],
                .place_tokens = (size_t)where->dim[1],
                .positions = positions ? positions->dtype : HONE_DTYPE_NONE,
                .interleaved = hone_node_flag(view->node, "interleaved"),
                .lines = hone_real_lines_here()};
  if (positions && r->table == 0) return hone_error(HONE_UNSUPPORTED, "an empty table");
  out->work =
      (double)r->batch * (double)r->heads * (double)r->tokens * (10 + (double)r->size * 0.2);
  out->kernel = hone_one_phase(run, r);
  return NULL;
}

const hone_node_functions HONE_REAL_NAME(hone_node_rotary) = {.accepts = accepts, .plan = plan};
