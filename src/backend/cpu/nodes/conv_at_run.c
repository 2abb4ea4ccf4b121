/* conv and conv_transpose nodes whose weights only the run knows: the kernels of conv.h, behind a phase
 * that packs for them. Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/nodes/conv.h"
#include "backend/cpu/products/conv_transposed.h"

enum { X, W, BIAS };

typedef struct at_run {
  const hone_conv_kernel *kernel;
  hone_conv conv;
  hone_conv_weights weights; /* whose data comes with the run */
  hone_kernel_plan plan;     /* of the kernel, which finds its weights at the start of the scratch */
} at_run;

/* Kernels that take such weights, the best first: by op, as the names of their rows begin. */
static const char *const algorithms[][3] = {{"conv_depthwise", "conv_gemm", "conv_direct"},
                                            {"conv_transposed_blocks", "conv_transposed_depthwise",
                                             "conv_transposed"}};

static bool is_named(const hone_conv_kernel *kernel, const char *algorithm, uint32_t isa) {
  size_t length = strlen(algorithm);
  return kernel->isa == isa && strncmp(kernel->name, algorithm, length) == 0 &&
         strcmp(strrchr(kernel->name, '_'), kernel->name + length) == 0;
}

/* What a kernel's `accepts` does not ask: gemm takes no padding, blocks no negative one. */
static bool takes_padding(const char *algorithm, const hone_conv *conv) {
  bool zero = true, negative = false;
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) {
    zero = zero && conv->pad[i] == 0 && conv->in[i] == conv->out[i];
    negative = negative || conv->pad[i] < 0;
  }
  if (strcmp(algorithm, "conv_gemm") == 0) return zero;
  return !negative || strcmp(algorithm, "conv_transposed_blocks") != 0;
}

/* The best kernel of the row's instruction set; NULL where none takes it. */
static const hone_conv_kernel *choose(const hone_cpu_kernel *row, const hone_conv *conv) {
  bool transposed = row->op == &hone_op_conv_transpose;
  const hone_conv_kernel *all = transposed ? hone_conv_transposed_kernels : hone_conv_kernels;
  for (int i = 0; i < 3; i++) {
    const char *algorithm = algorithms[transposed][i];
    for (const hone_conv_kernel *k = all; k->name && takes_padding(algorithm, conv); k++)
      if (is_named(k, algorithm, row->isa) && k->accepts(conv)) return k;
  }
  return NULL;
}

static bool build_conv(const hone_node *node, hone_conv *out) {
  const hone_value *bias = hone_node_in(node, BIAS), *w = hone_node_in(node, W);
  if (bias && (!bias->constant || bias->type.dtype != HONE_F32)) return false;
  return !w->constant && hone_shape_known(&w->type.shape) && hone_conv_geometry(node, out) &&
         hone_node_in(node, X)->type.dtype == HONE_F32 && w->type.dtype == HONE_F32 &&
         hone_node_operand(node, X) == hone_node_in(node, X) &&
         node->outputs[0]->type.dtype == HONE_F32;
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  hone_conv conv;
  const hone_conv_kernel *kernel = build_conv(node, &conv) ? choose(row, &conv) : NULL;
  return kernel && kernel->pack_size(kernel, &conv) > 0;
}

/* Weights are fewer than what they are multiplied with: one part packs them. */
static void pack(const void *args, const hone_kernel_io *io, int part, int parts) {
  const at_run *a = args;
  hone_conv_weights weights = a->weights;
  (void)parts;
  weights.data = io->in[W];
  if (part == 0) a->kernel->pack(a->kernel, &a->conv, weights, io->scratch);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const at_run *a = args;
  a->plan.phases[0](a->plan.args, io, part, parts);
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  size_t bytes;
  at_run *a = HONE_NEW(arena, at_run);
  HONE_TRY_MEMORY(a);
  hone_conv *conv = &a->conv;
  if (!build_conv(view->node, conv))
    return hone_error(HONE_INTERNAL, "kernel %s was given a node it does not take", row->name);
  HONE_TRY(hone_conv_at_sizes(view, conv));
  a->kernel = choose(row, conv);
  a->weights = hone_conv_weights_of(view->node, NULL);
  if (!hone_mul(a->kernel->pack_size(a->kernel, conv), sizeof(float), &bytes) || bytes > SIZE_MAX / 2)
    return hone_error(HONE_LIMIT, "the weights of a convolution do not fit in memory");
  conv->scratch_weights = hone_align_up(bytes, 64);
  conv->finish = *view->finish;
  if (view->constant[BIAS]) conv->finish.bias = view->constant[BIAS];
  HONE_TRY(a->kernel->plan(a->kernel, conv, NULL, arena, &a->plan));
  out->work = hone_conv_work(conv);
  out->kernel = (hone_kernel_plan){.phases = {pack, run},
                                   .phase_count = 2,
                                   .args = a,
                                   .shared_scratch = a->plan.shared_scratch,
                                   .part_scratch = a->plan.part_scratch};
  return NULL;
}

static bool strided(const hone_cpu_kernel *row, const hone_node *node, int operand,
                    const hone_shape *shape, const hone_layout *layout) {
  ptrdiff_t pitch;
  (void)row, (void)node;
  return operand == X && hone_layout_pitch(layout, shape, &pitch);
}

const hone_node_functions hone_node_conv_at_run = {.accepts = accepts,
                                                   .plan = plan,
                                                   .finishes = true,
                                                   .pitches = true,
                                                   .row_inputs = 1u << X,
                                                   .strided = strided};
