/* Networks built call by call: what each call gives at once, what they compute, what they refuse.
 */
#include "engine/network.h"
#include "engines.h"
#include "numerics.h"

/* ---- A little frame -------------------------------------------------------------------------- */

static hone_tensor tensor_of(hone_dtype dtype, int rank, const int64_t *dims, const void *data) {
  hone_tensor tensor = {.struct_size = sizeof tensor, .dtype = dtype, .rank = rank};
  memcpy(tensor.dims, dims, (size_t)rank * sizeof *dims);
  tensor.data = (void *)(uintptr_t)data;
  tensor.size = hone_tensor_bytes(&tensor);
  return tensor;
}
#define DIMS(...) \
  (int64_t[]) {   \
    __VA_ARGS__   \
  }
#define TENSOR(dtype, dims, data) \
  tensor_of(dtype, (int)(sizeof(dims) / sizeof(int64_t)), dims, data)

static hone_value *constant(hone_network *net, const char *name, hone_tensor tensor) {
  hone_value *value = NULL;
  CHECK_OK(hone_network_constant(net, name, &tensor, &value));
  return value;
}

static hone_value *input(hone_network *net, const char *name, const char *type) {
  hone_value *value = NULL;
  CHECK_OK(hone_network_input(net, name, type, &value));
  return value;
}

/* "f32[n, 3]" of a value; dims of made-up names are written as ?. */
static const char *type_of(const hone_value *value) {
  static char text[160];
  hone_port port = {.struct_size = sizeof port};
  hone_value_describe(value, &port);
  int at = snprintf(text, sizeof text, "%s[", hone_dtype_text(port.type.dtype));
  for (int i = 0; i < port.type.rank; i++) {
    const char *name = port.dim_names[i] && *port.dim_names[i] == '?' ? "?" : port.dim_names[i];
    at += snprintf(text + at, sizeof text - (size_t)at, i ? ", " : "");
    at += name
              ? snprintf(text + at, sizeof text - (size_t)at, "%s", name)
              : snprintf(text + at, sizeof text - (size_t)at, "%lld", (long long)port.type.dims[i]);
  }
  snprintf(text + at, sizeof text - (size_t)at, "]");
  return text;
}
#define CHECK_TYPE(value, text) CHECK(strcmp(type_of(value), text) == 0)

static hone_context *context_of(hone_network *net) {
  hone_model *model = NULL;
  hone_engine *engine = NULL;
  hone_context *context = NULL;
  hone_options *options = NULL;
  CHECK_OK(hone_network_finish(net, &model));
  hone_network_free(net);
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "measure", "false"));
  CHECK_OK(hone_build(model, options, &engine));
  CHECK_OK(hone_context_new(engine, NULL, &context));
  hone_options_free(options);
  hone_engine_free(engine);
  hone_model_free(model);
  return context;
}

static hone_tensor run(hone_context *context, const hone_tensor *x, size_t count) {
  hone_tensor y = {.struct_size = sizeof y};
  for (size_t i = 0; i < count; i++) CHECK_OK(hone_set_input(context, i, &x[i]));
  CHECK_OK(hone_run(context));
  CHECK_OK(hone_get_output(context, 0, &y));
  return y;
}

static void check_floats(const hone_tensor *y, const float *wanted, size_t count) {
  CHECK(y->size == count * sizeof(float));
  for (size_t i = 0; i < count && y->size == count * sizeof(float); i++)
    CHECK(near_element(((const float *)y->data)[i], wanted[i], bound("model", "fp32")));
}

/* ---- Networks -------------------------------------------------------------------------------- */

/* The same net in either layout; every picture and every weight is moved from one to the other. */
static hone_context *small_net(hone_layout layout, const float *w1, const float *w2) {
  bool first = layout == HONE_CHANNELS_FIRST;
  hone_network *net = NULL;
  hone_value *pooled[2];
  CHECK_OK(hone_network_new("small", &net));
  hone_value *x = input(net, "x", first ? "f32[n, 2, 7, 9]" : "f32[n, 7, 9, 2]");
  hone_value *w = constant(
      net, "w1",
      first ? TENSOR(HONE_F32, DIMS(4, 1, 3, 3), w1) : TENSOR(HONE_F32, DIMS(3, 3, 1, 4), w1));
  CHECK_OK(hone_network_conv(net, "conv", layout, x, w, NULL,
                             "strides=[2, 2], pads=[1, 0, 1, 2], groups=2", &x));
  CHECK_TYPE(x, first ? "f32[n, 4, 4, 5]" : "f32[n, 4, 5, 4]");
  CHECK_OK(hone_network_unary(net, "act", "leaky_relu", x, "alpha=0.25", &x));
  w = constant(
      net, "w2",
      first ? TENSOR(HONE_F32, DIMS(4, 3, 2, 2), w2) : TENSOR(HONE_F32, DIMS(2, 2, 3, 4), w2));
  CHECK_OK(hone_network_deconv(net, "up", layout, x, w, NULL, "strides=[2, 2]", &x));
  CHECK_TYPE(x, first ? "f32[n, 3, 8, 10]" : "f32[n, 8, 10, 3]");
  CHECK_OK(hone_network_pool(net, "max", layout, x, "kind=max, window=[2, 2], strides=[2, 2]",
                             &pooled[0]));
  CHECK_OK(hone_network_pool(net, "avg", layout, x, "kind=avg, window=[2, 2], strides=[2, 2]",
                             &pooled[1]));
  CHECK_OK(hone_network_concat(net, "cat", pooled, 2, first ? 1 : 3, &x));
  CHECK_TYPE(x, first ? "f32[n, 6, 4, 5]" : "f32[n, 4, 5, 6]");
  if (first) CHECK_OK(hone_network_transpose(net, "last", x, DIMS(0, 2, 3, 1), 4, &x));
  CHECK_OK(hone_network_output(net, x, "y"));
  return context_of(net);
}

/* to[i…] = from[i… permuted]: axis a of `to` is axis perm[a] of `from`, of sizes `dims`. */
static void permute(const float *from, const int64_t *dims, const int *perm, float *to) {
  int64_t stride[4] = {dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3], 1};
  for (int64_t a = 0; a < dims[perm[0]]; a++)
    for (int64_t b = 0; b < dims[perm[1]]; b++)
      for (int64_t c = 0; c < dims[perm[2]]; c++)
        for (int64_t d = 0; d < dims[perm[3]]; d++)
          *to++ = from[a * stride[perm[0]] + b * stride[perm[1]] + c * stride[perm[2]] +
                       d * stride[perm[3]]];
}

TEST(both_layouts_compute_the_same) {
  float w1[36], w1_last[36], w2[48], w2_last[48], x[2 * 126], x_last[2 * 126];
  uint32_t state = 3;
  for (int i = 0; i < 36; i++) w1[i] = engine_random(&state);
  for (int i = 0; i < 48; i++) w2[i] = engine_random(&state);
  for (int i = 0; i < 252; i++) x[i] = engine_random(&state);
  permute(w1, DIMS(4, 1, 3, 3), (int[]){2, 3, 1, 0}, w1_last);
  permute(w2, DIMS(4, 3, 2, 2), (int[]){2, 3, 1, 0}, w2_last);
  permute(x, DIMS(2, 2, 7, 9), (int[]){0, 2, 3, 1}, x_last);
  hone_context *first = small_net(HONE_CHANNELS_FIRST, w1, w2);
  hone_context *last = small_net(HONE_CHANNELS_LAST, w1_last, w2_last);
  hone_tensor in = TENSOR(HONE_F32, DIMS(2, 2, 7, 9), x);
  hone_tensor in_last = TENSOR(HONE_F32, DIMS(2, 7, 9, 2), x_last);
  hone_tensor a = run(first, &in, 1), b = run(last, &in_last, 1);
  CHECK(a.size == 2 * 4 * 5 * 6 * sizeof(float) && engine_error(&a, &b) < bound("model", "fp32"));
  hone_context_free(first);
  hone_context_free(last);
}

TEST(every_layer_says_its_type) {
  static const float weights[4096];
  hone_network *net = NULL;
  hone_value *y, *z, *parts[2];
  CHECK_OK(hone_network_new(NULL, &net));
  hone_value *x = input(net, "x", "f32[n, 6, 8]"), *i = input(net, "i", "s64[k]");
  hone_value *v = constant(net, "v", TENSOR(HONE_F32, DIMS(8), weights));
  CHECK_OK(hone_network_linear(
      net, "l", x, constant(net, "lw", TENSOR(HONE_F32, DIMS(5, 8), weights)), NULL, &y));
  CHECK_TYPE(y, "f32[n, 6, 5]");
  CHECK_OK(hone_network_matmul(net, "m", x, x, "transpose_b=true, alpha=0.5", &y));
  CHECK_TYPE(y, "f32[n, 6, 6]");
  CHECK_OK(hone_network_binary(net, "b", "less", x, v, NULL, &z));
  CHECK_TYPE(z, "bool[n, 6, 8]");
  CHECK_OK(hone_network_select(net, "s", z, x, v, &y));
  CHECK_TYPE(y, "f32[n, 6, 8]");
  CHECK_OK(hone_network_cast(net, "c", z, HONE_S32, &y));
  CHECK_TYPE(y, "s32[n, 6, 8]");
  CHECK_OK(hone_network_softmax(net, "sm", x, -1, &y));
  CHECK_TYPE(y, "f32[n, 6, 8]");
  CHECK_OK(hone_network_reduce(net, "r", "mean", x, DIMS(1), 1, false, &y));
  CHECK_TYPE(y, "f32[n, 8]");
  CHECK_OK(hone_network_reduce(net, "r", "max", x, NULL, 0, true, &y));
  CHECK_TYPE(y, "f32[1, 1, 1]");
  CHECK_OK(hone_network_norm(net, "bn", "batch_norm", x, v, v, v, v, "epsilon=0.001", &y));
  CHECK_OK(hone_network_norm(net, "ln", "layer_norm", x, v, NULL, NULL, NULL, NULL, &y));
  CHECK_TYPE(y, "f32[n, 6, 8]");
  CHECK_OK(
      hone_network_slice(net, "sl", x, DIMS(1, -5), DIMS(5, 100), DIMS(1, 2), DIMS(2, 1), 2, &y));
  CHECK_TYPE(y, "f32[n, 2, 5]");
  CHECK_OK(hone_network_reshape(net, "rs", x, DIMS(0, -1, 4), 3, &y));
  CHECK_TYPE(y, "f32[n, 12, 4]");
  CHECK_OK(hone_network_gather(net, "g", x, i, 1, &y));
  CHECK_TYPE(y, "f32[n, k, 8]");
  CHECK_OK(hone_network_topk(net, "t", x, 3, "axis=2", &parts[0], &parts[1]));
  CHECK_TYPE(parts[1], "s64[n, 6, 3]");
  CHECK_OK(hone_network_resize(net, "rz", x, (double[]){1, 2, 0.5}, NULL, 3, "mode=linear", &y));
  CHECK_TYPE(y, "f32[n, 12, 4]");
  CHECK_OK(hone_network_resize(net, "rz2", parts[0], NULL, DIMS(2, 5, 7), 3, NULL, &y));
  CHECK_TYPE(y, "f32[2, 5, 7]");
  CHECK_OK(hone_network_pad(net, "p", x, DIMS(0, 1, 2, 0, 0, 3), 6, "mode=edge", &y));
  CHECK_TYPE(y, "f32[n, 7, 13]");
  CHECK_OK(hone_network_shape(net, "sh", x, &y));
  CHECK_TYPE(y, "s64[3]");
  hone_value *w = constant(net, "w", TENSOR(HONE_F32, DIMS(2, 12, 8), weights));
  hone_value *r = constant(net, "rw", TENSOR(HONE_F32, DIMS(2, 12, 3), weights));
  CHECK_OK(hone_network_lstm(net, "lstm", x, w, r, NULL, NULL, NULL, "direction=bidirectional", &y,
                             NULL, &z));
  CHECK_TYPE(y, "f32[n, 2, 6, 3]");
  CHECK_TYPE(z, "f32[2, 6, 3]");
  w = constant(net, "gw", TENSOR(HONE_F32, DIMS(1, 9, 8), weights));
  r = constant(net, "gr", TENSOR(HONE_F32, DIMS(1, 9, 3), weights));
  CHECK_OK(hone_network_gru(net, "gru", x, w, r, NULL, NULL, "linear_before_reset=true", NULL, &z));
  CHECK_TYPE(z, "f32[1, 6, 3]");
  CHECK_OK(hone_network_reshape(net, "q", x, DIMS(0, 6, 2, 4), 4, &y));
  CHECK_OK(hone_network_transpose(net, "qt", y, DIMS(0, 2, 1, 3), 4, &y));
  CHECK_OK(hone_network_attention(net, "at", y, y, y, NULL, "causal=true", &y));
  CHECK_TYPE(y, "f32[n, 2, 6, 4]");
  hone_port port = {.struct_size = sizeof port};
  hone_value_describe(parts[1], &port);
  CHECK(strcmp(port.name, "t:1") == 0);
  hone_network_free(net);
}

TEST(outputs_have_the_names_they_were_given) {
  hone_network *net = NULL;
  CHECK_OK(hone_network_new("names", &net));
  hone_value *x = input(net, "x", "f32[2]"), *y;
  CHECK_OK(hone_network_unary(net, "twice", "neg", x, NULL, &y));
  CHECK_OK(hone_network_output(net, y, "a"));
  CHECK_OK(hone_network_output(net, y, "b"));
  CHECK_OK(hone_network_output(net, x, "c"));
  CHECK_ERROR(hone_network_output(net, y, "x"), HONE_INVALID_ARGUMENT, "already");
  hone_context *context = context_of(net);
  float in[2] = {1, -2};
  hone_tensor tensor = TENSOR(HONE_F32, DIMS(2), in), out = {.struct_size = sizeof out};
  static const char *const names[] = {"a", "b", "c"};
  (void)run(context, &tensor, 1);
  for (size_t i = 0; i < 3; i++) {
    hone_port port = {.struct_size = sizeof port};
    CHECK_OK(hone_output_at(context->engine, i, &port));
    CHECK(strcmp(port.name, names[i]) == 0);
    CHECK_OK(hone_get_output(context, i, &out));
    check_floats(&out, i < 2 ? (float[]){-1, 2} : in, 2);
  }
  hone_context_free(context);
}

TEST(refusals_name_the_layer_and_leave_the_network) {
  static const float weights[64];
  hone_network *net = NULL, *other = NULL;
  hone_value *x, *y = NULL, *odd;
  hone_model *model = NULL;
  CHECK_OK(hone_network_new("net", &net));
  CHECK_OK(hone_network_new("other", &other));
  x = input(net, "x", "f32[n, 3, 8, 8]");
  odd = input(other, "odd", "f32[n]");
  hone_value *w = constant(net, "w", TENSOR(HONE_F32, DIMS(4, 4, 2, 2), weights));
  hone_status *status = hone_network_conv(net, "c1", HONE_CHANNELS_FIRST, x, w, NULL, NULL, &y);
  CHECK(strstr(hone_status_place(status), "node 'c1'") && hone_status_code(status));
  hone_status_free(status);
  CHECK(net->graph->first == NULL); /* nothing of it is left */
  CHECK_ERROR(hone_network_conv(net, "c", HONE_CHANNELS_FIRST, x, w, NULL, "stride=[1]", &y),
              HONE_INVALID_MODEL, "no such attribute");
  CHECK_ERROR(hone_network_unary(net, "a", "swirl", x, NULL, &y), HONE_INVALID_ARGUMENT, "no op");
  CHECK_ERROR(hone_network_unary(net, "a", "relu", NULL, NULL, &y), HONE_INVALID_MODEL, "input");
  CHECK_ERROR(hone_network_unary(net, "a", "relu", odd, NULL, &y), HONE_INVALID_ARGUMENT,
              "not of this network");
  CHECK_ERROR(hone_network_unary(net, "a", "add", x, NULL, &y), HONE_INVALID_MODEL, "");
  CHECK_ERROR(hone_network_input(net, "x", "f32[2]", &y), HONE_INVALID_ARGUMENT, "already");
  CHECK_ERROR(hone_network_input(net, "z", "f33[2]", &y), HONE_INVALID_MODEL, "element type");
  CHECK_ERROR(hone_network_input(net, "z", "f32[2] x", &y), HONE_INVALID_MODEL, "after the type");
  hone_tensor small = TENSOR(HONE_F32, DIMS(2, 2), weights);
  small.size = 8;
  CHECK_ERROR(hone_network_constant(net, "k", &small, &y), HONE_INVALID_ARGUMENT, "16 bytes");
  CHECK_ERROR(hone_network_finish(net, &model), HONE_INVALID_ARGUMENT, "no output");
  CHECK_OK(hone_network_unary(net, "a", "relu", x, NULL, &y));
  CHECK_OK(hone_network_output(net, y, NULL));
  CHECK_OK(hone_network_finish(net, &model));
  CHECK_ERROR(hone_network_unary(net, "a", "relu", x, NULL, &y), HONE_INVALID_ARGUMENT, "finished");
  hone_model_free(model);
  hone_network_free(net);
  hone_network_free(other);
}

static int released;
static void release(void *argument) {
  released += *(int *)argument;
}

TEST(lent_weights_are_given_back) {
  float three[3] = {1, 2, 3};
  int one = 1;
  hone_network *net = NULL;
  hone_value *w = NULL, *y;
  hone_tensor tensor = TENSOR(HONE_F32, DIMS(3), three);
  CHECK_OK(hone_network_new("lent", &net));
  hone_value *x = input(net, "x", "f32[3]");
  CHECK_OK(hone_network_lend(net, "w", &tensor, release, &one, &w));
  CHECK_OK(hone_network_binary(net, "s", "mul", x, w, NULL, &y));
  CHECK_OK(hone_network_output(net, y, "y"));
  hone_context *context = context_of(net);
  hone_tensor out = run(context, &tensor, 1);
  check_floats(&out, (float[]){1, 4, 9}, 3);
  CHECK(released == 0);
  hone_context_free(context);
  CHECK(released == 1);
}

/* ---- Control flow -----------------------------------------------------------------------------
 */

TEST(a_branch_reads_what_is_around_it) {
  hone_network *net = NULL, *yes = NULL, *no = NULL;
  hone_value *a, *b, *late, *out;
  float ten = 10;
  CHECK_OK(hone_network_new("branch", &net));
  hone_value *c = input(net, "c", "bool[]"), *x = input(net, "x", "f32[n]");
  hone_value *k = constant(net, "k", tensor_of(HONE_F32, 0, DIMS(0), &ten));
  CHECK_OK(hone_network_if(net, "if", c, &yes, &no));
  CHECK_OK(hone_network_unary(net, "late", "neg", x, NULL, &late)); /* after the if was opened */
  CHECK_OK(hone_network_binary(yes, "then", "add", late, k, NULL, &a));
  CHECK_OK(hone_network_output(yes, a, NULL));
  hone_model *model = NULL;
  CHECK_ERROR(hone_network_close(yes, &out, 1), HONE_INVALID_ARGUMENT, "outputs");
  CHECK_ERROR(hone_network_finish(net, &model), HONE_INVALID_ARGUMENT, "not closed");
  CHECK_OK(hone_network_binary(no, "else", "mul", x, late, NULL, &b));
  CHECK_OK(hone_network_output(no, b, NULL));
  CHECK_OK(hone_network_close(no, &out, 1));
  CHECK_TYPE(out, "f32[n]");
  CHECK_ERROR(hone_network_close(yes, &out, 1), HONE_INVALID_ARGUMENT, "closed");
  CHECK_ERROR(hone_network_unary(yes, "x", "neg", x, NULL, &a), HONE_INVALID_ARGUMENT, "closed");
  CHECK_OK(hone_network_output(net, out, "y"));
  hone_context *context = context_of(net);
  bool condition = true;
  float in[3] = {1, 2, 3};
  hone_tensor tensors[] = {tensor_of(HONE_BOOL, 0, DIMS(0), &condition),
                           TENSOR(HONE_F32, DIMS(3), in)};
  hone_tensor y = run(context, tensors, 2);
  check_floats(&y, (float[]){9, 8, 7}, 3);
  condition = false;
  y = run(context, tensors, 2);
  check_floats(&y, (float[]){-1, -4, -9}, 3);
  hone_context_free(context);
}

/* x doubled until it is above a limit from outside, each turn's value stacked. */
TEST(a_loop_carries_and_stacks) {
  hone_network *net = NULL, *body = NULL, *inner = NULL;
  hone_value *twice, *sum, *go, *again, *outs[2];
  CHECK_OK(hone_network_new("loop", &net));
  hone_value *x = input(net, "x", "f32[2]"), *limit = input(net, "limit", "f32[]");
  hone_value *trips = input(net, "trips", "s64[]");
  CHECK_OK(hone_network_loop(net, "loop", trips, NULL, &x, 1, false, &body));
  hone_value *state = hone_network_body_input(body, 2);
  CHECK(state && hone_network_body_input(body, 1) && !hone_network_body_input(body, 3));
  CHECK_OK(hone_network_binary(body, "twice", "add", state, state, NULL, &twice));
  CHECK_OK(hone_network_reduce(body, "sum", "sum", twice, NULL, 0, false, &sum));
  /* A loop in the loop, of two turns, reads what is two levels up. */
  CHECK_OK(hone_network_loop(body, "inner", NULL, NULL, &sum, 1, false, &inner));
  CHECK_OK(hone_network_binary(inner, "less", "less", hone_network_body_input(inner, 2), limit,
                               NULL, &go));
  CHECK_OK(hone_network_output(inner, go, NULL));
  CHECK_OK(hone_network_binary(inner, "plus", "add", hone_network_body_input(inner, 2), limit, NULL,
                               &again));
  CHECK_OK(hone_network_output(inner, again, NULL));
  CHECK_ERROR(hone_network_close(body, outs, 2), HONE_INVALID_ARGUMENT, "");
  CHECK_OK(hone_network_binary(body, "on", "less", sum, limit, NULL, &go));
  CHECK_OK(hone_network_output(body, go, NULL));
  CHECK_OK(hone_network_output(body, twice, NULL));
  CHECK_OK(hone_network_output(body, sum, NULL));
  CHECK_ERROR(hone_network_close(body, outs, 2), HONE_INVALID_ARGUMENT, "inside");
  CHECK_OK(hone_network_close(inner, &again, 1));
  CHECK_OK(hone_network_output(body, again, NULL));
  hone_value *three[3];
  CHECK_OK(hone_network_close(body, three, 3));
  CHECK_TYPE(three[0], "f32[2]");
  CHECK_TYPE(three[1], "f32[?]");
  CHECK_OK(hone_network_concat(net, "all", (hone_value *[]){three[0], three[1], three[2]}, 3, 0,
                               &outs[0]));
  CHECK_OK(hone_network_output(net, outs[0], "y"));
  hone_context *context = context_of(net);
  float in[2] = {1, 2}, bound = 20;
  int64_t most = 10;
  hone_tensor tensors[] = {TENSOR(HONE_F32, DIMS(2), in), tensor_of(HONE_F32, 0, DIMS(0), &bound),
                           tensor_of(HONE_S64, 0, DIMS(0), &most)};
  hone_tensor y = run(context, tensors, 3);
  /* sums 6, 12, 24: the inner loop adds 20 while below it, at least once */
  check_floats(&y, (float[]){8, 16, 6, 12, 24, 46, 52, 44}, 8);
  most = 1;
  y = run(context, tensors, 3);
  check_floats(&y, (float[]){2, 4, 6, 46}, 4);
  hone_context_free(context);
}

TEST(a_carried_value_keeps_its_shape_or_says_so) {
  hone_network *net = NULL, *body = NULL;
  hone_value *grown, *out;
  CHECK_OK(hone_network_new("grow", &net));
  hone_value *x = input(net, "x", "f32[n]"), *trips = input(net, "trips", "s64[]");
  for (int changing = 0; changing < 2; changing++) {
    CHECK_OK(hone_network_loop(net, "grow", trips, NULL, &x, 1, changing, &body));
    hone_value *state = hone_network_body_input(body, 2);
    CHECK_OK(hone_network_concat(body, "cat", (hone_value *[]){state, x}, 2, 0, &grown));
    CHECK_OK(hone_network_output(body, hone_network_body_input(body, 1), NULL));
    CHECK_OK(hone_network_output(body, grown, NULL));
    if (changing) {
      CHECK_OK(hone_network_close(body, &out, 1));
      break;
    }
    CHECK_ERROR(hone_network_close(body, &out, 1), HONE_INVALID_ARGUMENT, "changes its shape");
    hone_network_free(net);
    CHECK_OK(hone_network_new("grow", &net));
    x = input(net, "x", "f32[n]");
    trips = input(net, "trips", "s64[]");
  }
  CHECK_OK(hone_network_output(net, out, "y"));
  hone_context *context = context_of(net);
  float in[2] = {1, 2};
  int64_t turns = 2;
  hone_tensor tensors[] = {TENSOR(HONE_F32, DIMS(2), in), tensor_of(HONE_S64, 0, DIMS(0), &turns)};
  hone_tensor y = run(context, tensors, 2);
  check_floats(&y, (float[]){1, 2, 1, 2, 1, 2}, 6);
  hone_context_free(context);
}

/* ---- Nonsense ----------------------------------------------------------------------------------
 */

static uint32_t below(uint32_t limit) {
  static uint64_t state = 88172645463325252u; /* Marsaglia's xorshift64 */
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 33) % limit;
}

/* Attributes of random values, some of them wrong. */
static void random_attributes(const hone_op *op, char *out, size_t room) {
  static const char *const values[] = {"1", "0", "-1", "true", "0.5", "[1, 2]", "[]", "f32", "x"};
  *out = 0;
  for (int i = 0; i < HONE_MAX_ATTRS && op->attrs[i].name; i++) {
    const hone_attr_def *attr = &op->attrs[i];
    size_t at = strlen(out);
    char choice[64];
    if (attr->fallback && below(3)) continue;
    snprintf(choice, sizeof choice, "%.*s", attr->choices ? (int)strcspn(attr->choices, "|") : 0,
             attr->choices ? attr->choices : "");
    snprintf(out + at, room - at, "%s%s=%s", at ? ", " : "", attr->name,
             attr->choices ? choice : values[below(9)]);
  }
}

enum { VALUES = 40 };

/* A layer of a random op over random values; true when it was taken. */
static bool random_layer(hone_network *net, hone_value **values, size_t *count) {
  size_t op_count;
  const hone_op *op = hone_op_list(&op_count)[below((uint32_t)op_count)];
  hone_value *in[4] = {NULL}, *out[2] = {NULL};
  char attributes[600];
  size_t inputs = below(5), outputs = 1 + below(2);
  for (size_t i = 0; i < inputs; i++)
    if (below(8)) in[i] = values[below((uint32_t)*count)];
  random_attributes(op, attributes, sizeof attributes);
  hone_status *status =
      hone_network_add(net, op->name, op->name, in, inputs, attributes, out, outputs);
  bool taken = status == NULL;
  hone_status_free(status);
  for (size_t i = 0; taken && i < outputs && *count < VALUES; i++)
    if (out[i]) values[(*count)++] = out[i];
  return taken;
}

/* Whatever is asked for, what was taken is a sound graph, also inside a body. */
TEST(nonsense_is_refused_and_leaves_no_trace) {
  static const char *const types[] = {"f32[n, 4, 4]", "f32[2, 4, 4, 3]", "s64[2]",      "bool[]",
                                      "f32[4]",       "s64[]",           "seq(f32[n])", "str[2]"};
  int taken = 0;
  for (int turn = 0; turn < 400; turn++) {
    hone_network *net = NULL, *yes = NULL, *no = NULL;
    hone_value *values[VALUES], *condition, *out = NULL;
    hone_model *model = NULL;
    size_t count = 0;
    char name[8];
    CHECK_OK(hone_network_new("random", &net));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
      snprintf(name, sizeof name, "x%zu", i);
      values[count++] = input(net, name, types[i]);
    }
    condition = values[3];
    for (int i = 0; i < 100; i++) taken += random_layer(net, values, &count);
    CHECK_OK(hone_network_if(net, "if", condition, &yes, &no));
    size_t outside = count;
    for (int i = 0; i < 50; i++) taken += random_layer(yes, values, &count);
    CHECK_OK(hone_network_output(yes, values[0], NULL));
    CHECK_OK(hone_network_output(no, values[0], NULL));
    CHECK_OK(hone_network_close(no, &out, 1));
    CHECK_OK(hone_network_output(net, out, "y"));
    for (size_t i = 0; i < outside; i++) CHECK_OK(hone_network_output(net, values[i], NULL));
    CHECK_OK(hone_network_finish(net, &model));
    hone_model_free(model);
    hone_network_free(net);
  }
  CHECK(taken > 1000);
}

TEST(the_table_of_ops_as_text) {
  char *text = NULL;
  CHECK_OK(hone_ops_text(&text));
  CHECK(strstr(text, "conv(x, w, b?) -> (y) {strides: ints = [], "));
  CHECK(strstr(text, "concat(x*) -> (y) {axis: int}\n"));
  CHECK(strstr(text, "padding: explicit|same_upper|same_lower|valid = explicit"));
  CHECK(strstr(text, "relu(x) -> (out)\n"));
  hone_text_release(text);
}

TEST(running_out_of_memory_leaks_nothing) {
  for (uint64_t number = 1;; number++) {
    hone_network *net = NULL, *yes = NULL, *no = NULL;
    hone_value *c = NULL, *x = NULL, *y = NULL;
    hone_model *model = NULL;
    hone_alloc_fail_at(number, false);
    hone_status *status = hone_network_new("small", &net);
    if (!status) status = hone_network_input(net, "c", "bool[]", &c);
    if (!status) status = hone_network_input(net, "x", "f32[n, 3, 4, 4]", &x);
    if (!status)
      status = hone_network_pool(net, "p", HONE_CHANNELS_FIRST, x, "kind=max, window=[2, 2]", &x);
    if (!status) status = hone_network_if(net, "if", c, &yes, &no);
    if (!status) status = hone_network_output(yes, x, NULL);
    if (!status) status = hone_network_unary(no, "relu", "relu", x, NULL, &y);
    if (!status) status = hone_network_output(no, y, NULL);
    if (!status) status = hone_network_close(no, &y, 1);
    if (!status) status = hone_network_output(net, y, "y");
    if (!status) status = hone_network_finish(net, &model);
    hone_alloc_fail_at(0, false);
    CHECK(!status || hone_status_code(status) == HONE_OUT_OF_MEMORY);
    bool done = status == NULL;
    hone_status_free(status);
    hone_network_free(net);
    hone_model_free(model);
    if (done || check_failed) break;
  }
}

int main(void) {
  RUN(both_layouts_compute_the_same);
  RUN(every_layer_says_its_type);
  RUN(outputs_have_the_names_they_were_given);
  RUN(refusals_name_the_layer_and_leave_the_network);
  RUN(lent_weights_are_given_back);
  RUN(a_branch_reads_what_is_around_it);
  RUN(a_loop_carries_and_stacks);
  RUN(a_carried_value_keeps_its_shape_or_says_so);
  RUN(nonsense_is_refused_and_leaves_no_trace);
  RUN(the_table_of_ops_as_text);
  RUN(running_out_of_memory_leaks_nothing);
  return check_report();
}
