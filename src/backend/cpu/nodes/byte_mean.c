/* byte_mean nodes: what some pixels of an image come to, then all of these. Room:
 * backend/cpu/nodes. */
#include <math.h>

#include "backend/cpu/lines/strips.h"
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"

enum { BLOCK = HONE_STRIP_BYTES, CHUNK = 512 }; /* channels and pixels at a time */

typedef struct byte_mean {
  size_t images, rows, columns, chunks;
  uint8_t flip; /* turns signed bytes into unsigned ones, 128 more */
  const hone_strips *strips;
} byte_mean;

static size_t blocks_of(const byte_mean *m) {
  return (m->columns + BLOCK - 1) / BLOCK;
}
static size_t block_at(const byte_mean *m, size_t column) {
  return m->columns - column < BLOCK ? m->columns - column : BLOCK;
}

static void run_chunks(const void *args, const hone_kernel_io *io, int part, int parts) {
  const byte_mean *m = args;
  size_t blocks = blocks_of(m), begin, end;
  hone_split(m->images * m->chunks * blocks, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t chunk = i / blocks, column = i % blocks * BLOCK, row = chunk % m->chunks * CHUNK;
    size_t first = chunk / m->chunks * m->rows + row;
    size_t rows = m->rows - row < CHUNK ? m->rows - row : CHUNK;
    m->strips->sum_rows_u8((const uint8_t *)io->in[0] + first * m->columns + column, m->columns,
                           rows, block_at(m, column), m->flip,
                           (uint32_t *)io->scratch + chunk * m->columns + column);
  }
}

static double sum_of(const byte_mean *m, uint64_t total) {
  return (double)total - (m->flip ? 128.0 * (double)m->rows : 0);
}

static void run_means(const void *args, const hone_kernel_io *io, int part, int parts) {
  const byte_mean *m = args;
  size_t blocks = blocks_of(m), begin, end;
  hone_split(m->images * blocks, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t image = i / blocks, column = i % blocks * BLOCK, count = block_at(m, column);
    const uint32_t *some = (const uint32_t *)io->scratch + image * m->chunks * m->columns + column;
    float *y = (float *)io->out[0] + image * m->columns + column;
    uint64_t total[BLOCK] = {0};
    for (size_t k = 0; k < m->chunks; k++, some += m->columns)
      for (size_t c = 0; c < count; c++) total[c] += some[c];
    for (size_t c = 0; c < count; c++)
      y[c] = m->rows ? (float)(sum_of(m, total[c]) / (double)m->rows) : NAN;
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  (void)row;
  return dtype == HONE_U8 || dtype == HONE_S8;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  const hone_shape *x = &view->in[0]->shape;
  byte_mean *m = HONE_NEW(arena, byte_mean);
  (void)row;
  HONE_TRY_MEMORY(m);
  *m = (byte_mean){.images = hone_shape_span(x, 0, 1),
                   .rows = hone_shape_span(x, 1, x->rank - 1),
                   .columns = hone_shape_span(x, x->rank - 1, x->rank),
                   .flip = view->in[0]->dtype == HONE_S8 ? 0x80 : 0,
                   .strips = hone_strips_here()};
  out->work = (double)m->images * (double)m->rows * (double)m->columns * 0.02;
  m->chunks = (m->rows + CHUNK - 1) / CHUNK;
  size_t bytes;
  if (!hone_mul(m->images * m->chunks, m->columns, &bytes) ||
      !hone_mul(bytes, sizeof(uint32_t), &bytes))
    return hone_error(HONE_LIMIT, "the sums of a mean do not fit in memory");
  out->kernel = (hone_kernel_plan){
      .phases = {run_chunks, run_means}, .phase_count = 2, .args = m, .shared_scratch = bytes};
  return NULL;
}

const hone_node_functions hone_node_byte_mean = {.accepts = accepts, .plan = plan};
