/* lstm, gru and rnn on the GPU: the input of all steps as one product, then a launch a step, two where a
 * gru's reset gate comes before the state's product; or all steps in one launch, where few sequences'
 * states are to be multiplied by weights that the shared memory of a cluster of blocks holds. States are
 * f32 or f64 from step to step.
 * Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/rows.h"
#include "ops/recurrent.h"

enum { Y = 8, H, C, INPUT, H_BEFORE, H_AFTER, CELL, KEPT, FAULT, ROOM }; /* after the node's inputs */
enum { BEGIN, STEP, PROJECT, CLUSTER };                                 /* forms */
enum { ENTRIES = 8, UNITS = 8, MOST_STEPS = 8192 };
enum { BLOCKS = 8, CLUSTER_THREADS = 512, MOST_SHARED = 232448 }; /* of a cluster, of a block */

typedef struct net {
  const hone_op *op;
  int gates, functions;
  const char *defaults[3];
} net;

static const net nets[] = {
    {&hone_op_lstm, 4, 3, {"sigmoid", "tanh", "tanh"}},
    {&hone_op_gru, 3, 2, {"sigmoid", "tanh"}},
    {&hone_op_rnn, 1, 1, {"tanh"}},
};

static const net *net_of(const hone_node *node) {
  for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
    if (nets[i].op == node->op) return &nets[i];
  return NULL;
}

/* In CUDA, of x, alpha and beta. */
typedef struct activation {
  const char *name, *text;
} activation;

static const activation activations[] = {
    {"sigmoid", "sigmoid(x)"},
    {"tanh", "tanh(x)"},
    {"relu", "x > 0 ? x : R(0)"},
    {"affine", "alpha * x + beta"},
    {"leaky_relu", "x >= 0 ? x : alpha * x"},
    {"thresholded_relu", "x > alpha ? x : R(0)"},
    {"scaled_tanh", "alpha * tanh(beta * x)"},
    {"hard_sigmoid", "unit_clamp(alpha * x + beta)"},
    {"elu", "x >= 0 ? x : alpha * expm1(x)"},
    {"softsign", "x / (1 + fabs(x))"},
    {"softplus", "softplus(x)"},
};

static const char *text_of(const char *name) {
  for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
    if (strcmp(activations[i].name, name) == 0) return activations[i].text;
  return NULL;
}

static int direction_count(const hone_node *node) {
  return hone_node_text(node, "direction")[0] == 'b' ? 2 : 1;
}

static bool accepts(const hone_node *node) {
  const hone_value *x = node->inputs[HONE_RNN_X].value, *lengths;
  if (!net_of(node) || hone_dtype_class_of(x->type.dtype) != HONE_CLASS_FLOAT ||
      !hone_cuda_type(x->type.dtype))
    return false;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i].value && node->inputs[i].value->type.shape.rank < 0) return false;
  lengths = hone_node_in(node, HONE_RNN_LENGTHS);
  return !lengths || lengths->type.dtype == HONE_S32 || lengths->type.dtype == HONE_S64;
}

/* activate(which, x): the functions of each direction in turn. */
static void define_activations(const hone_node *node, hone_text *out) {
  const net *n = net_of(node);
  hone_recurrent_function functions[HONE_RECURRENT_FUNCTIONS];
  hone_recurrent_functions(node, n->functions, n->defaults, functions);
  hone_text_puts(out, "__device__ __forceinline__ R activate(int which, R x) {\n");
  for (int i = 0; i < n->functions * direction_count(node); i++)
    hone_text_printf(out,
                     "  if (which == %d) {\n    const R alpha = R(%.17g), beta = R(%.17g);\n"
                     "    return %s;\n  }\n",
                     i, functions[i].alpha, functions[i].beta, text_of(functions[i].name));
  hone_text_puts(out, "  return x;\n}\n");
}

static bool resets_before(const hone_node *node) {
  return node->op == &hone_op_gru && !hone_node_flag(node, "linear_before_reset");
}

static void define(const hone_node *node, hone_text *out) {
  const hone_value *lengths = hone_node_in(node, HONE_RNN_LENGTHS);
  bool lstm = node->op == &hone_op_lstm;
  hone_cuda_define_types(node->inputs[HONE_RNN_X].value->type.dtype, out);
  hone_text_printf(out,
                   "typedef %s I;\n#define FAULT %d\n#define GATES %d\n#define FUNCTIONS %d\n"
                   "#define CLIP R(%.17g)\n#define LSTM %d\n#define GRU %d\n#define COUPLED %d\n"
                   "#define FIRST %d\n",
                   lengths ? hone_cuda_type(lengths->type.dtype) : "s64", FAULT,
                   net_of(node)->gates, net_of(node)->functions, hone_node_real(node, "clip"), lstm,
                   node->op == &hone_op_gru, lstm && hone_node_flag(node, "input_forget"),
                   resets_before(node) ? 2 : 0);
  define_activations(node, out);
}

/* ---- Launches -------------------------------------------------------------------------------- */

typedef struct layer {
  const hone_cuda_stage *stage;
  hone_cuda_plan *plan;
  int64_t steps, batch, input, hidden, directions;
  hone_cuda_slot projected, h[2], cell, kept;
} layer;

static hone_status *take_scratch(layer *l, int64_t count, hone_cuda_slot *out) {
  bool wide = l->stage->core->inputs[HONE_RNN_X].value->type.dtype == HONE_F64;
  size_t bytes;
  if (!hone_mul((size_t)count, wide ? sizeof(double) : sizeof(float), &bytes))
    return hone_error(HONE_LIMIT, "the states of a recurrent layer overflow");
  return hone_cuda_scratch(l->plan, bytes, out);
}

static hone_status *measure(layer *l) {
  const hone_node *node = l->stage->core;
  const hone_shape *x = hone_cuda_shape(l->plan, node->inputs[HONE_RNN_X].value);
  const hone_shape *r = hone_cuda_shape(l->plan, node->inputs[HONE_RNN_R].value);
  l->steps = x->dim[0], l->batch = x->dim[1], l->input = x->dim[2];
  l->hidden = r->dim[2], l->directions = r->dim[0];
  bool empty = l->steps == 0 || l->batch == 0 || l->hidden == 0;
  if (empty || l->steps > MOST_STEPS || l->batch > 65535 * ENTRIES)
    return hone_error(HONE_UNSUPPORTED, "a recurrent layer of %lld steps, %lld sequences",
                      (long long)l->steps, (long long)l->batch);
  int64_t state = l->directions * l->batch * l->hidden;
  HONE_TRY(take_scratch(l, state * net_of(node)->gates * l->steps, &l->projected));
  HONE_TRY(take_scratch(l, state, &l->h[0]));
  HONE_TRY(take_scratch(l, state, &l->h[1]));
  HONE_TRY(take_scratch(l, state, &l->cell));
  return take_scratch(l, state, &l->kept);
}

static hone_status *add_launch(layer *l, int form, int64_t step, bool resets,
                               hone_cuda_launch **out) {
  const hone_node *node = l->stage->core;
  hone_cuda_launch *launch;
  HONE_TRY(hone_cuda_launch_new(l->plan, l->stage, &launch));
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) launch->slots[Y + i] = hone_cuda_slot_of(l->plan, node->outputs[i]);
  launch->function = l->stage->functions[form];
  launch->slots[INPUT] = l->projected;
  launch->slots[H_BEFORE] = l->h[step % 2];
  launch->slots[H_AFTER] = l->h[(step + 1) % 2];
  launch->slots[CELL] = l->cell;
  launch->slots[KEPT] = l->kept;
  hone_cuda_may_fault(l->plan, launch, node, FAULT);
  launch->args.n[0] = step;
  launch->args.n[1] = l->steps;
  launch->args.n[2] = l->batch;
  launch->args.n[3] = l->hidden;
  launch->args.n[4] = l->directions;
  launch->args.n[5] = hone_node_text(node, "direction")[0] == 'r';
  launch->args.n[6] = resets;
  launch->grid[0] = (unsigned)((l->hidden + UNITS - 1) / UNITS);
  launch->grid[1] = (unsigned)((l->batch + ENTRIES - 1) / ENTRIES);
  launch->grid[2] = (unsigned)l->directions;
  if (form == BEGIN) hone_cuda_launch_elements(launch, l->directions * l->batch * l->hidden);
  *out = launch;
  return NULL;
}

/* x w' of all directions by kernels/product.cu, whose arguments these are. */
static hone_status *add_projection(layer *l) {
  enum { TILE = 64 };
  hone_cuda_launch *launch;
  int64_t columns = net_of(l->stage->core)->gates * l->hidden;
  HONE_TRY(hone_cuda_launch_new(l->plan, l->stage, &launch));
  launch->function = l->stage->functions[PROJECT];
  launch->slots[INPUT] = l->projected;
  long long *n = launch->args.n;
  n[0] = l->steps * l->batch;
  n[1] = columns;
  n[2] = n[3] = n[6] = n[37] = l->input;
  n[4] = n[5] = n[7] = n[36] = 1;
  n[8] = l->directions;
  n[24] = columns * l->input;
  launch->grid[0] = (unsigned)((n[0] + TILE - 1) / TILE);
  launch->grid[1] = (unsigned)((columns + TILE - 1) / TILE);
  launch->grid[2] = (unsigned)l->directions;
  if (n[0] > INT32_MAX || columns > 65535 * TILE)
    return hone_error(HONE_UNSUPPORTED, "the input of a recurrent layer is too large");
  return NULL;
}

/* Bytes of shared memory of a cluster's block: kernels/recurrent_cluster.cu. */
static int64_t shared_of(const layer *l) {
  const hone_node *node = l->stage->core;
  int64_t element = hone_dtype_bits(node->inputs[HONE_RNN_X].value->type.dtype) / 8;
  int64_t number = element == 8 ? 8 : 4, each = (l->hidden + BLOCKS - 1) / BLOCKS;
  int64_t states = (2 + resets_before(node)) * l->hidden + each;
  return (each * net_of(node)->gates * l->hidden * element + 15) / 16 * 16 + ENTRIES * states * number;
}

static bool takes_cluster(const layer *l) {
  return l->stage->functions[CLUSTER] && l->batch <= ENTRIES && l->hidden <= INT16_MAX &&
         shared_of(l) <= MOST_SHARED;
}

static hone_status *add_cluster(layer *l) {
  hone_cuda_launch *launch;
  HONE_TRY(add_launch(l, CLUSTER, 0, false, &launch));
  launch->grid[0] = BLOCKS;
  launch->threads = CLUSTER_THREADS;
  launch->shared = (unsigned)shared_of(l);
  return NULL;
}

static hone_status *plan_recurrent(const hone_cuda_stage *stage, const hone_group_view *view,
                                   hone_cuda_plan *plan) {
  layer l = {.stage = stage, .plan = plan};
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(measure(&l));
  HONE_TRY(add_launch(&l, BEGIN, 0, false, &launch));
  HONE_TRY(add_projection(&l));
  if (takes_cluster(&l)) return add_cluster(&l);
  for (int64_t step = 0; step < l.steps; step++) {
    if (resets_before(stage->core)) HONE_TRY(add_launch(&l, STEP, step, true, &launch));
    HONE_TRY(add_launch(&l, STEP, step, false, &launch));
  }
  return NULL;
}

#define PROJECTION                                                                    \
  "#define CONVOLUTION 0\n#define ALPHA R(1)\n"                                       \
  "__device__ __forceinline__ void finish(const Args &a, s64 i, s64, R core) {\n"     \
  "  ((R *)a.p[11])[i] = core;\n}\n"
#define FORM(phase) \
  {hone_cuda_text_recurrent, "#define PHASE " #phase "\n", .before = hone_cuda_text_places}
const hone_cuda_kernel hone_cuda_kernel_recurrent = {
    .name = "recurrent",
    .forms = {FORM(0), FORM(1), {hone_cuda_text_product, PROJECTION},
              {hone_cuda_text_recurrent_cluster, "#define PHASE 2\n", .alone = true,
               .before = hone_cuda_text_recurrent}},
    .pointers = ROOM,
    .accepts = accepts,
    .define = define,
    .plan = plan_recurrent};
