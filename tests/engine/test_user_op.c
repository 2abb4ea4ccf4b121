/* Operators that users define: in networks, in ONNX models, in saved engines, on one thread and
 * many; definitions and callbacks that are wrong. */
#include <unistd.h>

#include <hone/op.h>

#include "engine/network.h"
#include "engines.h"
#include "import/proto_writer.h"
#include "numerics.h"

/* ---- test/Share: y = scale * x / sum of its row + bias[column]; two phases, scratch, a constant
 * -- */

static _Atomic int kernel_calls, plans;

static hone_status *share_shape(void *user, hone_shape_call *call) {
  CHECK(user == &kernel_calls && call->struct_size >= sizeof *call);
  const hone_tensor *x = call->inputs[0];
  if (x->rank != 2) return hone_status_new(HONE_INVALID_MODEL, "Share takes rows");
  call->outputs[0]->dtype = x->dtype;
  call->outputs[0]->rank = 2;
  memcpy(call->outputs[0]->dims, x->dims, 2 * sizeof *x->dims);
  if (call->outputs[1]) {
    call->outputs[1]->dtype = x->dtype;
    call->outputs[1]->rank = 1;
    call->outputs[1]->dims[0] = x->dims[0];
  }
  return NULL;
}

static float row_sum(const float *x, int64_t size) {
  float sum = 0;
  for (int64_t i = 0; i < size; i++) sum += x[i];
  return sum;
}

static hone_status *share_reference(void *user, hone_reference_call *call) {
  (void)user;
  const hone_tensor *in = call->inputs[0], *bias = call->inputs[1];
  hone_tensor *sums = call->outputs[1];
  const float *x = in->data;
  float scale = (float)hone_attribute_real(call->node, "scale"), *y = call->outputs[0]->data;
  int64_t columns = in->dims[1];
  for (int64_t r = 0; r < in->dims[0]; r++) {
    float sum = row_sum(x + r * columns, columns);
    if (sums) ((float *)sums->data)[r] = sum;
    for (int64_t c = 0; c < columns; c++)
      y[r * columns + c] =
          scale * x[r * columns + c] / sum + (bias ? ((const float *)bias->data)[c] : 0);
  }
  return NULL;
}

typedef struct share_plan {
  int64_t rows, columns;
  float scale;
} share_plan_args;

static hone_status *share_plan(void *user, hone_plan_call *call) {
  (void)user;
  const hone_tensor *x = call->inputs[0];
  if (x->dims[1] == 7) return hone_status_new(HONE_UNSUPPORTED, "not seven");
  if (call->inputs[1]) CHECK(call->inputs[1]->data != NULL);
  share_plan_args *a = hone_plan_memory(call, sizeof *a);
  *a = (share_plan_args){x->dims[0], x->dims[1], (float)hone_attribute_real(call->node, "scale")};
  call->plan = a;
  call->phases = 2;
  call->scratch = (size_t)x->dims[0] * sizeof(float);
  plans++;
  return NULL;
}

static void share_kernel(void *user, const hone_kernel_call *call) {
  const share_plan_args *a = call->plan;
  CHECK(user == &kernel_calls);
  kernel_calls++;
  const float *x = call->inputs[0], *bias = call->inputs[1];
  float *y = call->outputs[0], *sums = call->scratch, *given = call->outputs[1];
  int64_t begin = a->rows * call->part / call->parts;
  int64_t end = a->rows * (call->part + 1) / call->parts;
  if (call->phase == 0) {
    for (int64_t r = begin; r < end; r++) sums[r] = row_sum(x + r * a->columns, a->columns);
    return;
  }
  /* Rows of another part's sums: right only after the barrier. */
  for (int64_t r = a->rows - end; r < a->rows - begin; r++) {
    if (given) given[r] = sums[r];
    for (int64_t c = 0; c < a->columns; c++)
      y[r * a->columns + c] = a->scale * x[r * a->columns + c] / sums[r] + (bias ? bias[c] : 0);
  }
}

static const hone_op_definition share = {.struct_size = sizeof share,
                                         .domain = "test",
                                         .name = "Share",
                                         .inputs = "x bias?",
                                         .outputs = "y sums?",
                                         .attributes = "scale: real = 1, mode: plain|odd = plain",
                                         .shape = share_shape,
                                         .reference = share_reference,
                                         .plan = share_plan,
                                         .kernel = share_kernel,
                                         .user = &kernel_calls};

/* x -> relu -> Share with a constant bias -> neg */
static hone_model *share_model(void) {
  static const float bias[16] = {0.5f, -1, 2, 0.25f};
  hone_network *net = NULL;
  hone_model *model = NULL;
  hone_value *x = NULL, *b = NULL, *y = NULL;
  hone_tensor tensor = {.struct_size = sizeof tensor,
                        .dtype = HONE_F32,
                        .rank = 1,
                        .dims = {9},
                        .data = (void *)(uintptr_t)bias,
                        .size = 36};
  CHECK_OK(hone_network_new("share", &net));
  CHECK_OK(hone_network_input(net, "x", "f32[n, 9]", &x));
  CHECK_OK(hone_network_constant(net, "bias", &tensor, &b));
  CHECK_OK(hone_network_unary(net, "exp", "exp", x, NULL, &x));
  CHECK_OK(
      hone_network_add(net, "share", "test/Share", (hone_value *[]){x, b}, 2, "scale=3", &y, 1));
  CHECK_OK(hone_network_unary(net, "neg", "neg", y, NULL, &y));
  CHECK_OK(hone_network_output(net, y, "y"));
  CHECK_OK(hone_network_finish(net, &model));
  hone_network_free(net);
  return model;
}

static hone_engine *build(const hone_model *model, const char *name, const char *value) {
  hone_options *options = NULL;
  hone_engine *engine = NULL;
  CHECK_OK(hone_options_new(&options));
  if (name) CHECK_OK(hone_options_set(options, name, value));
  CHECK_OK(hone_build(model, options, &engine));
  hone_options_free(options);
  return engine;
}

static void run(hone_engine *engine, const char *threads, int rows, float *y) {
  float x[40 * 9];
  uint32_t state = 11;
  for (int i = 0; i < rows * 9; i++) x[i] = engine_random(&state);
  hone_options *options = NULL;
  hone_context *context = NULL;
  hone_tensor in = {.struct_size = sizeof in,
                    .dtype = HONE_F32,
                    .rank = 2,
                    .dims = {rows, 9},
                    .data = x,
                    .size = (size_t)rows * 36};
  hone_tensor out = {.struct_size = sizeof out};
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "threads", threads));
  CHECK_OK(hone_context_new(engine, options, &context));
  CHECK_OK(hone_set_input(context, 0, &in));
  CHECK_OK(hone_run(context));
  CHECK_OK(hone_get_output(context, 0, &out));
  memcpy(y, out.data, out.size);
  hone_context_free(context);
  hone_options_free(options);
}

TEST(the_kernel_computes_what_the_reference_means) {
  hone_model *model = share_model();
  hone_engine *fast = build(model, NULL, NULL), *plain = build(model, "kernels", "reference");
  float wanted[40 * 9], y[40 * 9];
  static const char *const threads[] = {"1", "2", "3", "5"};
  run(plain, "1", 40, wanted);
  CHECK(kernel_calls == 0);
  for (int i = 0; i < 4; i++) {
    run(fast, threads[i], 40, y);
    float worst = 0;
    for (int k = 0; k < 40 * 9; k++) worst = fmaxf(worst, fabsf(y[k] - wanted[k]));
    CHECK(worst < bound("model", "fp32"));
    if (i == 0) memcpy(wanted, y, sizeof y);
    CHECK(memcmp(wanted, y, sizeof y) == 0);
  }
  CHECK(kernel_calls > 0 && plans == 4);
  hone_engine_free(fast);
  hone_engine_free(plain);
  hone_model_free(model);
}

TEST(engines_with_it_are_saved_and_opened) {
  char path[] = "/tmp/hone_user_op_XXXXXX";
  close(mkstemp(path));
  hone_model *model = share_model();
  hone_engine *engine = build(model, NULL, NULL), *opened = NULL;
  float before[18], after[18];
  run(engine, "2", 2, before);
  CHECK_OK(hone_engine_save(engine, path));
  CHECK_OK(hone_engine_open(path, NULL, &opened));
  int calls = kernel_calls;
  run(opened, "2", 2, after);
  CHECK(kernel_calls > calls && memcmp(before, after, sizeof before) == 0);
  hone_engine_free(opened);
  hone_engine_free(engine);
  hone_model_free(model);
  unlink(path);
}

TEST(an_op_that_nobody_registered_is_named) {
  const char *text = "graph g(x: f32[2]) -> (y) { y = com.acme/Swirl(x) }";
  hone_graph *graph = NULL;
  CHECK_ERROR(hone_graph_parse(text, strlen(text), hone_op_find, (hone_bytes){"", 0}, &graph),
              HONE_UNSUPPORTED, "com.acme/Swirl");
}

/* Sizes that the kernel refuses run on the reference; an output that is wanted is written by
 * either. */
TEST(what_the_kernel_does_not_take_the_reference_does) {
  hone_network *net = NULL;
  hone_model *model = NULL;
  hone_value *x = NULL, *out[2];
  CHECK_OK(hone_network_new("seven", &net));
  CHECK_OK(hone_network_input(net, "x", "f32[n, m]", &x));
  CHECK_OK(hone_network_add(net, "share", "test/Share", &x, 1, NULL, out, 2));
  CHECK_OK(hone_network_output(net, out[0], "y"));
  CHECK_OK(hone_network_output(net, out[1], "sums"));
  CHECK_OK(hone_network_finish(net, &model));
  hone_engine *engine = build(model, NULL, NULL);
  hone_context *context = NULL;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  float seven[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  hone_tensor in = {.struct_size = sizeof in,
                    .dtype = HONE_F32,
                    .rank = 2,
                    .dims = {1, 7},
                    .data = seven,
                    .size = 7 * sizeof *seven};
  hone_tensor y = {.struct_size = sizeof y};
  int calls = kernel_calls;
  CHECK_OK(hone_set_input(context, 0, &in));
  CHECK_OK(hone_run(context));
  CHECK_OK(hone_get_output(context, 1, &y));
  CHECK(kernel_calls == calls && *(const float *)y.data == 7);
  in.dims[1] = 8;
  in.size = sizeof seven;
  CHECK_OK(hone_set_input(context, 0, &in));
  CHECK_OK(hone_run(context));
  CHECK_OK(hone_get_output(context, 1, &y));
  CHECK(kernel_calls > calls && *(const float *)y.data == 8);
  CHECK_OK(hone_get_output(context, 0, &y));
  CHECK(((const float *)y.data)[7] == 0.125f);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
  hone_network_free(net);
}

/* ---- test/Chosen: the elements above a bound; sizes depend on the elements --------------------
 */

static hone_status *chosen_shape(void *user, hone_shape_call *call) {
  (void)user;
  call->outputs[0]->dtype = HONE_F32;
  call->outputs[0]->rank = 1;
  call->outputs[0]->dims[0] = call->planning ? call->inputs[0]->dims[0] : hone_unknown_dim(call);
  return NULL;
}

static hone_status *chosen_reference(void *user, hone_reference_call *call) {
  (void)user;
  const float *x = call->inputs[0]->data;
  float *y = call->outputs[0]->data;
  int64_t count = 0;
  for (int64_t i = 0; i < call->inputs[0]->dims[0]; i++)
    if (x[i] > (float)hone_attribute_int(call->node, "above")) y[count++] = x[i];
  call->outputs[0]->dims[0] = count;
  return NULL;
}

/* ---- test/Words: a text a number, of the list in its attributes -------------------------------
 */

static hone_status *words_shape(void *user, hone_shape_call *call) {
  (void)user;
  call->outputs[0]->dtype = HONE_STR;
  call->outputs[0]->rank = call->inputs[0]->rank;
  memcpy(call->outputs[0]->dims, call->inputs[0]->dims, sizeof call->inputs[0]->dims);
  return NULL;
}

static hone_status *words_reference(void *user, hone_reference_call *call) {
  (void)user;
  size_t count, offset_count;
  const char *const *words = hone_attribute_texts(call->node, "words", &count);
  const int64_t *offsets = hone_attribute_ints(call->node, "offsets", &offset_count);
  const char *prefix = hone_attribute_text(call->node, "prefix");
  const int64_t *x = call->inputs[0]->data;
  hone_string *y = call->outputs[0]->data;
  CHECK(hone_attribute_int(call->node, "prefix") == 0 &&
        !hone_attribute_text(call->node, "nothing"));
  for (int64_t i = 0; i < call->inputs[0]->dims[0]; i++) {
    size_t at = (size_t)(x[i] + (offset_count ? offsets[0] : 0));
    if (at >= count) return hone_status_new(HONE_INVALID_ARGUMENT, "there is no such word");
    y[i].size = strlen(prefix) + strlen(words[at]);
    char *text = hone_reference_memory(call, y[i].size + 1);
    snprintf(text, y[i].size + 1, "%s%s", prefix, words[at]);
    y[i].data = text;
  }
  return NULL;
}

static const hone_op_definition chosen = {.struct_size = sizeof chosen,
                                          .domain = "test",
                                          .name = "Chosen",
                                          .inputs = "x",
                                          .outputs = "y",
                                          .attributes = "above: int = 0",
                                          .flags = HONE_OP_DATA_SHAPED,
                                          .shape = chosen_shape,
                                          .reference = chosen_reference};
static const hone_op_definition words = {
    .struct_size = sizeof words,
    .domain = "test",
    .name = "Words",
    .inputs = "x",
    .outputs = "y",
    .attributes = "words: texts, offsets: ints = [0], prefix: text = -, reals: reals = [1, 2.5]",
    .shape = words_shape,
    .reference = words_reference};

TEST(sizes_may_depend_on_elements_and_elements_be_texts) {
  hone_network *net = NULL;
  hone_model *model = NULL;
  hone_value *x = NULL, *y = NULL;
  CHECK_OK(hone_network_new("words", &net));
  CHECK_OK(hone_network_input(net, "x", "f32[n]", &x));
  CHECK_OK(hone_network_add(net, "chosen", "test/Chosen", &x, 1, "above=1", &y, 1));
  CHECK_OK(hone_network_cast(net, "cast", y, HONE_S64, &y));
  CHECK_ERROR(hone_network_add(net, "words", "test/Words", &y, 1, NULL, &y, 1), HONE_INVALID_MODEL,
              "words");
  CHECK_OK(hone_network_add(net, "words", "test/Words", &y, 1,
                            "words=[\"a\", \"b b\", \"c\"], offsets=[-2], prefix=\"> \"", &y, 1));
  CHECK_OK(hone_network_output(net, y, "y"));
  CHECK_OK(hone_network_finish(net, &model));
  hone_engine *engine = build(model, NULL, NULL);
  hone_context *context = NULL;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  float in[5] = {3, 0, 1, 4, 2};
  hone_tensor tensor = {.struct_size = sizeof tensor,
                        .dtype = HONE_F32,
                        .rank = 1,
                        .dims = {5},
                        .data = in,
                        .size = sizeof in};
  hone_tensor out = {.struct_size = sizeof out};
  CHECK_OK(hone_set_input(context, 0, &tensor));
  CHECK_OK(hone_run(context));
  CHECK_OK(hone_get_output(context, 0, &out));
  const hone_string *texts = out.data;
  CHECK(out.rank == 1 && out.dims[0] == 3);
  CHECK(texts[0].size == 5 && memcmp(texts[0].data, "> b b", 5) == 0);
  CHECK(texts[1].size == 3 && memcmp(texts[1].data, "> c", 3) == 0);
  in[0] = 9;
  CHECK_ERROR(hone_run(context), HONE_INVALID_ARGUMENT, "no such word");
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
  hone_network_free(net);
}

/* ---- ONNX --------------------------------------------------------------------------------------
 */

static void put_value(writer *w, unsigned field, const char *name) {
  size_t info = end_mark(w), type = end_mark(w), tensor = end_mark(w), shape = end_mark(w);
  for (int i = 2; i-- > 0;) {
    size_t dim = end_mark(w);
    if (i)
      put_int(w, 1, 9);
    else
      put_text(w, 2, "n");
    put_header(w, 1, dim);
  }
  put_header(w, 2, shape);
  put_int(w, 1, 1);
  put_header(w, 1, tensor);
  put_header(w, 2, type);
  put_text(w, 1, name);
  put_header(w, field, info);
}

/* y = Share(x) of domain "test", with an attribute of type FLOAT. */
static writer onnx_model(const char *attribute, float value) {
  writer w = writer_new(4096);
  size_t opset = end_mark(&w);
  put_int(&w, 2, 1);
  put_text(&w, 1, "test");
  put_header(&w, 8, opset);
  size_t graph = end_mark(&w);
  put_value(&w, 12, "y");
  put_value(&w, 11, "x");
  size_t node = end_mark(&w);
  put_text(&w, 7, "test");
  size_t attr = end_mark(&w);
  put_int(&w, 20, 1);
  put_raw(&w, &value, sizeof value);
  put_varint(&w, 2 << 3 | 5);
  put_text(&w, 1, attribute);
  put_header(&w, 5, attr);
  put_text(&w, 4, "Share");
  put_text(&w, 3, "mine");
  put_text(&w, 2, "y");
  put_text(&w, 1, "x");
  put_header(&w, 1, node);
  put_text(&w, 2, "g");
  put_header(&w, 7, graph);
  put_int(&w, 1, 8);
  return w;
}

TEST(nodes_of_onnx_models_are_it) {
  writer w = onnx_model("scale", 2);
  hone_model *model = NULL;
  CHECK_OK(hone_model_parse(written(&w), NULL, NULL, &model));
  const hone_node *node = model->graph->first;
  CHECK(node && strcmp(node->op->name, "test/Share") == 0 && node->sources[0][0] == 'm' &&
        hone_node_real(node, "scale") == 2);
  hone_engine *engine = build(model, NULL, NULL);
  float y[18];
  run(engine, "1", 2, y);
  CHECK(near_element(row_sum(y, 9), 2, bound("model", "fp32")));
  hone_engine_free(engine);
  hone_model_free(model);
  free(w.data);
  w = onnx_model("angle", 2);
  CHECK_ERROR(hone_model_parse(written(&w), NULL, NULL, &model), HONE_UNSUPPORTED, "angle");
  free(w.data);
}

/* ---- What is refused ----------------------------------------------------------------------------
 */

static hone_status *wrong_shape(void *user, hone_shape_call *call) {
  call->outputs[0]->dtype = HONE_F32;
  call->outputs[0]->rank = *(int *)user;
  call->outputs[0]->dims[0] = -1000;
  return NULL;
}

TEST(wrong_definitions_are_refused) {
  hone_op_definition d = share;
  static const struct {
    size_t member;
    const char *value, *text;
  } rows[] = {
      {offsetof(hone_op_definition, domain), "", "domain"},
      {offsetof(hone_op_definition, domain), "a/b", "domain"},
      {offsetof(hone_op_definition, name), "two words", "name"},
      {offsetof(hone_op_definition, inputs), "x? y", "inputs"},
      {offsetof(hone_op_definition, inputs), "x* y", "inputs"},
      {offsetof(hone_op_definition, outputs), "", "no output"},
      {offsetof(hone_op_definition, attributes), "scale", "name: kind"},
      {offsetof(hone_op_definition, attributes), "scale: number", "no kind 'number'"},
      {offsetof(hone_op_definition, attributes), "scale: real = x", "no default"},
      {offsetof(hone_op_definition, attributes), "scale: ints = [1, a]", "no default"},
      {offsetof(hone_op_definition, attributes), "scale: int = 1.5", "no default"},
      {offsetof(hone_op_definition, attributes), "mode: a|b = c", "no default"},
      {offsetof(hone_op_definition, attributes), "a: int, a: int", "twice"},
      {offsetof(hone_op_definition, shape), NULL, "shape"},
      {offsetof(hone_op_definition, reference), NULL, "reference"},
      {offsetof(hone_op_definition, plan), NULL, "kernel"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    d = share;
    d.name = "Wrong";
    memcpy((char *)&d + rows[i].member, &rows[i].value, sizeof rows[i].value);
    CHECK_ERROR(hone_op_define(&d), HONE_INVALID_ARGUMENT, rows[i].text);
  }
  CHECK(!hone_op_find("test/Wrong", 10));
  CHECK_OK(hone_op_define(&share)); /* once more: the same */
  d = share;
  d.reference = chosen_reference;
  CHECK_ERROR(hone_op_define(&d), HONE_INVALID_ARGUMENT, "already");
  d.struct_size = 0;
  CHECK_ERROR(hone_op_define(&d), HONE_INVALID_ARGUMENT, "struct_size");
}

TEST(wrong_answers_of_callbacks_are_refused) {
  static int rank = 1;
  hone_op_definition d = chosen;
  d.name = "Liar";
  d.flags = 0;
  d.shape = wrong_shape;
  d.user = &rank;
  CHECK_OK(hone_op_define(&d));
  hone_network *net = NULL;
  hone_value *x = NULL, *y = NULL;
  CHECK_OK(hone_network_new("liar", &net));
  CHECK_OK(hone_network_input(net, "x", "f32[n]", &x));
  CHECK_ERROR(hone_network_add(net, "l", "test/Liar", &x, 1, NULL, &y, 1), HONE_INVALID_MODEL,
              "a size of -1000");
  rank = 9;
  CHECK_ERROR(hone_network_add(net, "l", "test/Liar", &x, 1, NULL, &y, 1), HONE_INVALID_MODEL,
              "rank 9");
  hone_network_free(net);
}

TEST(a_plugin_that_is_none_is_refused) {
  CHECK_ERROR(hone_plugin_load("/tmp/there_is_no_such_library.so"), HONE_IO, "no_such_library");
}

int main(void) {
  CHECK_OK(hone_op_define(&share));
  CHECK_OK(hone_op_define(&chosen));
  CHECK_OK(hone_op_define(&words));
  RUN(the_kernel_computes_what_the_reference_means);
  RUN(engines_with_it_are_saved_and_opened);
  RUN(an_op_that_nobody_registered_is_named);
  RUN(what_the_kernel_does_not_take_the_reference_does);
  RUN(sizes_may_depend_on_elements_and_elements_be_texts);
  RUN(nodes_of_onnx_models_are_it);
  RUN(wrong_definitions_are_refused);
  RUN(wrong_answers_of_callbacks_are_refused);
  RUN(a_plugin_that_is_none_is_refused);
  return check_report();
}
