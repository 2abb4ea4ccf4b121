/* Weights replaced: found by name, refitted without measuring, to the bits of a fresh build. */
#include <unistd.h>

#include <hone/refit.h>

#include "engine/network.h"
#include "engine/tune.h"
#include "engines.h"

static hone_tensor tensor_like(const hone_port *port, uint32_t seed) {
  hone_tensor tensor = port->type;
  float *data = malloc(tensor.size);
  for (size_t i = 0; i < tensor.size / sizeof *data; i++) data[i] = engine_random(&seed) * 0.4f;
  tensor.data = data;
  return tensor;
}

static hone_port weight_at(const hone_model *model, size_t index) {
  hone_port port = {.struct_size = sizeof port};
  CHECK_OK(hone_weight_at(model, index, &port));
  return port;
}

/* New elements for every weight. */
static void change_all(hone_model *model) {
  for (size_t i = 0; i < hone_weight_count(model); i++) {
    hone_port port = weight_at(model, i);
    hone_tensor tensor = tensor_like(&port, (uint32_t)i + 77);
    CHECK_OK(hone_weight_set(model, port.name, &tensor));
    free(tensor.data);
  }
}

static void check_same_run(hone_engine *a, hone_engine *b, bool same) {
  hone_context *contexts[2] = {NULL, NULL};
  picture p = picture_of(2, 20, 12);
  CHECK_OK(hone_context_new(a, NULL, &contexts[0]));
  CHECK_OK(hone_context_new(b, NULL, &contexts[1]));
  hone_tensor x = engine_run(contexts[0], &p), y = engine_run(contexts[1], &p);
  CHECK(x.size == y.size && (memcmp(x.data, y.data, x.size) == 0) == same);
  free(p.data);
  hone_context_free(contexts[0]);
  hone_context_free(contexts[1]);
}

TEST(weights_are_listed_by_name) {
  hone_model *model = engine_model(engine_net);
  static const char *const names[] = {"w1", "b1", "w2", "w3", "w4"};
  CHECK(hone_weight_count(model) == 5);
  for (size_t i = 0; i < 5; i++) CHECK(strcmp(weight_at(model, i).name, names[i]) == 0);
  hone_port port = weight_at(model, 2);
  CHECK(port.type.rank == 4 && port.type.dims[3] == 16 && port.type.size == 9 * 16 * 4 &&
        port.type.data == engine_weights + 1792 / 4);
  hone_tensor tensor = tensor_like(&port, 1);
  CHECK_ERROR(hone_weight_set(model, "w9", &tensor), HONE_NOT_FOUND, "w9");
  CHECK_ERROR(hone_weight_set(model, "axes", &tensor), HONE_NOT_FOUND, "axes");
  tensor.dims[0] = 1;
  CHECK_ERROR(hone_weight_set(model, "w2", &tensor), HONE_INVALID_ARGUMENT, "shape");
  hone_model *copy = NULL;
  CHECK_OK(hone_model_copy(model, &copy));
  hone_model_free(model);
  tensor.dims[0] = 3;
  CHECK_OK(hone_weight_set(copy, "w2", &tensor));
  CHECK(memcmp(weight_at(copy, 2).type.data, tensor.data, tensor.size) == 0);
  CHECK(weight_at(copy, 0).type.data == engine_weights);
  free(tensor.data);
  hone_model_free(copy);
}

/* What importing looked at, and what decides a shape, is no weight. */
TEST(what_decides_the_graph_is_no_weight) {
  hone_model *model = engine_model(
      "graph g(x: f32[n, 4, 4, 2]) -> (y) { s = const f32[4] [1, 2, 2, 1]"
      " f = const fixed f32[2] [3, 4] u = const f32[2] [5, 6] i = const s32[2] [1, 2]"
      " r = resize(x, _, s) a = mul(r, f) b = add(a, u) c = cast(i) {to=f32} y = mul(b, c) }");
  CHECK(hone_weight_count(model) == 1 && strcmp(weight_at(model, 0).name, "u") == 0);
  char *text = NULL;
  CHECK_OK(hone_model_text(model, &text));
  CHECK(strstr(text, "f = const fixed f32[2] [3.0, 4.0]") ||
        strstr(text, "f = const fixed f32[2]"));
  hone_text_release(text);
  hone_model_free(model);
}

TEST(a_refit_measures_nothing_and_equals_a_fresh_build) {
  hone_model *model = engine_model(engine_net), *changed = NULL;
  hone_engine *engine = engine_build(model, NULL, NULL), *refitted = NULL;
  CHECK_OK(hone_engine_model(engine, &changed));
  change_all(changed);
  CHECK_OK(hone_refit(engine, changed, &refitted));
  hone_engine *fresh = engine_build(changed, NULL, NULL);
  check_same_run(refitted, fresh, true);
  check_same_run(refitted, engine, false); /* the old one has the old weights */
  hone_engine_free(fresh);
  hone_engine_free(refitted);
  hone_engine_free(engine);
  hone_model_free(changed);
  hone_model_free(model);
}

static hone_status *same_choice(void *argument, hone_unit *unit) {
  const hone_unit **other = argument;
  if (unit->body) {
    CHECK(strcmp(unit->choice.candidate, (*other)->choice.candidate) == 0);
    CHECK(unit->choice.variant == (*other)->choice.variant &&
          unit->choice.measured == (*other)->choice.measured);
  }
  ++*other;
  return NULL;
}

TEST(measured_choices_stay) {
  hone_model *model = engine_model(engine_net), *changed = NULL;
  hone_engine *engine = engine_build(model, "measure", "true"), *refitted = NULL;
  uint64_t timings = hone_timing_count();
  CHECK(timings > 0);
  CHECK_OK(hone_model_copy(model, &changed));
  change_all(changed);
  CHECK_OK(hone_refit(engine, changed, &refitted));
  CHECK(hone_timing_count() == timings && refitted->measured == 0);
  CHECK(refitted->program->unit_count == engine->program->unit_count);
  const hone_unit *unit = refitted->program->units;
  CHECK_OK(hone_visit_units(engine->program, same_choice, &unit));
  hone_engine_free(refitted);
  hone_engine_free(engine);
  hone_model_free(changed);
  hone_model_free(model);
}

/* ---- Engine files ---------------------------------------------------------------------------- */

static char path[2][64];

static void make_paths(void) {
  for (int i = 0; i < 2; i++)
    snprintf(path[i], sizeof path[i], "/tmp/hone_test_refit_%d_%d", (int)getpid(), i);
}

static char *read_all(const char *from, size_t *size) {
  char *data = NULL;
  CHECK_OK(hone_file_read(from, (size_t)1 << 30, &data, size));
  return data;
}

TEST(an_engine_file_keeps_its_model_when_asked) {
  make_paths();
  hone_model *model = engine_model(engine_net), *source = NULL;
  hone_engine *built = engine_build(model, "refit", "true"), *opened = NULL, *refitted = NULL;
  CHECK_OK(hone_engine_save(built, path[0]));
  CHECK_OK(hone_engine_open(path[0], NULL, &opened));
  CHECK_OK(hone_engine_save(opened, path[1]));
  size_t sizes[2];
  char *bytes[2] = {read_all(path[0], &sizes[0]), read_all(path[1], &sizes[1])};
  CHECK(sizes[0] == sizes[1] && memcmp(bytes[0], bytes[1], sizes[0]) == 0);
  hone_free(bytes[0]);
  hone_free(bytes[1]);
  CHECK_OK(hone_engine_model(opened, &source));
  CHECK(hone_weight_count(source) == 5);
  change_all(source);
  uint64_t timings = hone_timing_count();
  CHECK_OK(hone_refit(opened, source, &refitted));
  CHECK(hone_timing_count() == timings);
  hone_model_free(source);
  change_all(model);
  hone_engine *fresh = engine_build(model, "refit", "true");
  check_same_run(refitted, fresh, true);
  /* The refitted one is saved, opened and refitted again. */
  CHECK_OK(hone_engine_save(refitted, path[1]));
  hone_engine_free(opened);
  hone_engine_free(refitted);
  CHECK_OK(hone_engine_open(path[1], NULL, &opened));
  CHECK_OK(hone_engine_model(opened, &source));
  CHECK_OK(hone_refit(opened, source, &refitted));
  check_same_run(refitted, fresh, true);
  hone_model_free(source);
  hone_engine_free(refitted);
  hone_engine_free(opened);
  hone_engine_free(fresh);
  hone_engine_free(built);
  hone_model_free(model);
  unlink(path[0]);
  unlink(path[1]);
}

TEST(without_it_a_model_is_to_be_given) {
  make_paths();
  hone_model *model = engine_model(engine_net), *source = NULL;
  hone_engine *built = engine_build(model, "precision", "fp32-strict"), *opened = NULL,
              *refitted = NULL;
  CHECK_OK(hone_engine_save(built, path[0]));
  CHECK_OK(hone_engine_open(path[0], NULL, &opened));
  CHECK_ERROR(hone_engine_model(opened, &source), HONE_UNSUPPORTED, "refit");
  change_all(model);
  CHECK_OK(hone_refit(opened, model, &refitted));
  CHECK(strcmp(refitted->precision, "fp32-strict") == 0); /* as the file says */
  hone_engine *fresh = engine_build(model, "precision", "fp32-strict");
  check_same_run(refitted, fresh, true);
  hone_engine_free(fresh);
  hone_engine_free(refitted);
  hone_engine_free(opened);
  hone_engine_free(built);
  hone_model_free(model);
  unlink(path[0]);
}

/* ---- Weights that make another graph of it ------------------------------------------------------
 */

TEST(weights_that_change_the_graph_are_right_too) {
  hone_model *model = engine_model(
      "graph g(x: f32[n, h, w, 3]) -> (y) {"
      " w = const f32[3, 3, 3, 8] @weights+0 s = const f32[] 2"
      " c = conv(x, w) d = mul(c, s) e = erf(d) y = mul(e, s) }");
  hone_engine *engine = engine_build(model, NULL, NULL), *refitted = NULL;
  float one = 1;
  hone_tensor tensor = {
      .struct_size = sizeof tensor, .dtype = HONE_F32, .data = &one, .size = sizeof one};
  CHECK_OK(hone_weight_set(model, "s", &tensor));
  CHECK_OK(hone_refit(engine, model, &refitted));
  hone_engine *fresh = engine_build(model, NULL, NULL);
  check_same_run(refitted, fresh, true);
  hone_engine_free(fresh);
  hone_engine_free(refitted);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* A weight that a body shares with the graph around it is one weight. */
TEST(bodies_share_the_weights_around_them) {
  hone_network *net = NULL, *yes = NULL, *no = NULL;
  hone_model *model = NULL, *source = NULL;
  hone_value *c = NULL, *x = NULL, *k = NULL, *a = NULL, *b = NULL, *y = NULL;
  float three[3] = {1, 2, 3}, four[3] = {4, 5, 6}, in[3] = {1, 1, 1};
  bool condition = true;
  hone_tensor w = {.struct_size = sizeof w,
                   .dtype = HONE_F32,
                   .rank = 1,
                   .dims = {3},
                   .data = three,
                   .size = sizeof three};
  CHECK_OK(hone_network_new("shared", &net));
  CHECK_OK(hone_network_input(net, "c", "bool[]", &c));
  CHECK_OK(hone_network_input(net, "x", "f32[3]", &x));
  CHECK_OK(hone_network_constant(net, "k", &w, &k));
  CHECK_OK(hone_network_binary(net, "outside", "add", x, k, NULL, &x));
  CHECK_OK(hone_network_if(net, "if", c, &yes, &no));
  CHECK_OK(hone_network_binary(yes, "then", "mul", x, k, NULL, &a));
  CHECK_OK(hone_network_output(yes, a, NULL));
  CHECK_OK(hone_network_binary(no, "else", "sub", x, k, NULL, &b));
  CHECK_OK(hone_network_output(no, b, NULL));
  CHECK_OK(hone_network_close(yes, &y, 1));
  CHECK_OK(hone_network_output(net, y, "y"));
  CHECK_OK(hone_network_finish(net, &model));
  CHECK(hone_weight_count(model) == 1 && strcmp(weight_at(model, 0).name, "k") == 0);
  make_paths();
  hone_engine *engine = engine_build(model, "refit", "true"), *refitted = NULL;
  CHECK_OK(hone_engine_save(engine, path[0]));
  hone_engine_free(engine);
  CHECK_OK(hone_engine_open(path[0], NULL, &engine));
  CHECK_OK(hone_engine_model(engine, &source));
  CHECK(hone_weight_count(source) == 1);
  w.data = four;
  CHECK_OK(hone_weight_set(source, "k", &w));
  CHECK_OK(hone_refit(engine, source, &refitted));
  hone_context *context = NULL;
  hone_tensor cond = {
      .struct_size = sizeof cond, .dtype = HONE_BOOL, .data = &condition, .size = 1};
  hone_tensor out = {.struct_size = sizeof out};
  w.data = in;
  CHECK_OK(hone_context_new(refitted, NULL, &context));
  CHECK_OK(hone_set_input(context, 0, &cond));
  CHECK_OK(hone_set_input(context, 1, &w));
  CHECK_OK(hone_run(context));
  CHECK_OK(hone_get_output(context, 0, &out));
  CHECK(memcmp(out.data, (float[]){20, 30, 42}, sizeof in) == 0);
  hone_context_free(context);
  hone_engine_free(refitted);
  hone_engine_free(engine);
  hone_model_free(source);
  hone_model_free(model);
  hone_network_free(net);
  unlink(path[0]);
}

/* One that only a body uses is known by the user's name all the same. */
TEST(weights_of_bodies_have_the_users_names) {
  hone_network *net = NULL, *yes = NULL, *no = NULL;
  hone_model *model = NULL;
  hone_value *c = NULL, *x = NULL, *k = NULL, *y = NULL;
  float three[3] = {1, 2, 3};
  hone_tensor w = {.struct_size = sizeof w,
                   .dtype = HONE_F32,
                   .rank = 1,
                   .dims = {3},
                   .data = three,
                   .size = sizeof three};
  CHECK_OK(hone_network_new("inside", &net));
  CHECK_OK(hone_network_input(net, "c", "bool[]", &c));
  CHECK_OK(hone_network_input(net, "x", "f32[3]", &x));
  CHECK_OK(hone_network_constant(net, "k", &w, &k));
  CHECK_OK(hone_network_if(net, "if", c, &yes, &no));
  CHECK_OK(hone_network_binary(yes, "then", "mul", x, k, NULL, &y));
  CHECK_OK(hone_network_output(yes, y, NULL));
  CHECK_OK(hone_network_output(no, x, NULL));
  CHECK_OK(hone_network_close(yes, &y, 1));
  CHECK_OK(hone_network_output(net, y, "y"));
  CHECK_OK(hone_network_finish(net, &model));
  CHECK(hone_weight_count(model) == 1 && strcmp(weight_at(model, 0).name, "k") == 0);
  hone_model_free(model);
  hone_network_free(net);
}

TEST(running_out_of_memory_leaks_nothing) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_model_free(model);
  bool done = false;
  for (uint64_t number = 1; !done && !check_failed; number += 1 + number / 16) {
    hone_model *source = NULL;
    hone_engine *refitted = NULL;
    hone_alloc_fail_at(number, false);
    hone_status *status = hone_engine_model(engine, &source);
    if (!status) status = hone_refit(engine, source, &refitted);
    hone_alloc_fail_at(0, false);
    done = status == NULL;
    CHECK(done || hone_status_code(status) == HONE_OUT_OF_MEMORY);
    hone_status_free(status);
    hone_engine_free(refitted);
    hone_model_free(source);
  }
  hone_engine_free(engine);
}

int main(void) {
  RUN(weights_are_listed_by_name);
  RUN(what_decides_the_graph_is_no_weight);
  RUN(a_refit_measures_nothing_and_equals_a_fresh_build);
  RUN(measured_choices_stay);
  RUN(an_engine_file_keeps_its_model_when_asked);
  RUN(without_it_a_model_is_to_be_given);
  RUN(weights_that_change_the_graph_are_right_too);
  RUN(bodies_share_the_weights_around_them);
  RUN(weights_of_bodies_have_the_users_names);
  RUN(running_out_of_memory_leaks_nothing);
  return check_report();
}
