/* LeNet-5 built call by call, run on a picture: no model file anywhere.
 *
 *   build_network [net.hone]
 *
 * Prints the ten probabilities. Weights and picture come from a small random generator, so that
 * anybody can compute the same answers again. With a path the engine is saved there too.
 */
#include <stdio.h>
#include <stdlib.h>

#include <hone/network.h>

/* Ends the program with what went wrong, and at which layer. */
static void check(hone_status *status) {
  if (!status) return;
  fprintf(stderr, "%s: %s: %s\n", hone_code_name(hone_status_code(status)),
          hone_status_place(status), hone_status_message(status));
  hone_status_free(status);
  exit(1);
}

/* The next of the numbers between -1 and 1 (Numerical Recipes' generator). */
static float next_random(void) {
  static uint32_t state = 5;
  state = state * 1664525u + 1013904223u;
  return (float)(int32_t)state / 2147483648.0f;
}

/* A constant of random numbers times `scale`. The network copies them. */
static hone_value *weights(hone_network *net, const char *name, float scale, int rank,
                           const int64_t *dims) {
  hone_tensor tensor = {.struct_size = sizeof tensor, .dtype = HONE_F32, .rank = rank};
  for (int i = 0; i < rank; i++) tensor.dims[i] = dims[i];
  tensor.size = hone_tensor_bytes(&tensor);
  float *data = malloc(tensor.size);
  if (!data) exit(1);
  for (size_t i = 0; i < tensor.size / sizeof *data; i++) data[i] = next_random() * scale;
  tensor.data = data;
  hone_value *value;
  check(hone_network_constant(net, name, &tensor, &value));
  free(data);
  return value;
}
#define WEIGHTS(net, name, scale, ...)                                          \
  weights(net, name, scale, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), \
          (int64_t[]){__VA_ARGS__})

/* Convolution of 5 x 5, bias, ReLU, maximum of 2 x 2; pictures are [n, c, h, w]. */
static hone_value *convolve(hone_network *net, const char *name, hone_value *x, int64_t from,
                            int64_t to, const char *attributes) {
  char text[40];
  snprintf(text, sizeof text, "%s.w", name);
  hone_value *w = WEIGHTS(net, text, 0.3f, to, from, 5, 5);
  snprintf(text, sizeof text, "%s.b", name);
  hone_value *b = WEIGHTS(net, text, 0.1f, to);
  check(hone_network_conv(net, name, HONE_CHANNELS_FIRST, x, w, b, attributes, &x));
  check(hone_network_unary(net, name, "relu", x, NULL, &x));
  check(hone_network_pool(net, name, HONE_CHANNELS_FIRST, x,
                          "kind=max, window=[2, 2], strides=[2, 2]", &x));
  return x;
}

static hone_value *dense(hone_network *net, const char *name, hone_value *x, int64_t from,
                         int64_t to) {
  char text[40];
  snprintf(text, sizeof text, "%s.w", name);
  hone_value *w = WEIGHTS(net, text, 0.1f, to, from);
  snprintf(text, sizeof text, "%s.b", name);
  hone_value *b = WEIGHTS(net, text, 0.1f, to);
  check(hone_network_linear(net, name, x, w, b, &x));
  return x;
}

static hone_model *lenet(void) {
  hone_network *net;
  hone_value *x;
  hone_model *model;
  check(hone_network_new("lenet", &net));
  check(hone_network_input(net, "picture", "f32[n, 1, 28, 28]", &x)); /* any number at once */
  x = convolve(net, "conv1", x, 1, 6, "pads=[2, 2, 2, 2]");
  x = convolve(net, "conv2", x, 6, 16, NULL);
  check(hone_network_reshape(net, "flat", x, (int64_t[]){0, 400}, 2, &x));
  x = dense(net, "fc1", x, 400, 120);
  check(hone_network_unary(net, "relu1", "relu", x, NULL, &x));
  x = dense(net, "fc2", x, 120, 84);
  check(hone_network_unary(net, "relu2", "relu", x, NULL, &x));
  x = dense(net, "fc3", x, 84, 10);
  check(hone_network_softmax(net, "softmax", x, 1, &x));
  check(hone_network_output(net, x, "probabilities"));
  check(hone_network_finish(net, &model)); /* from here on like a model from a file */
  hone_network_free(net);
  return model;
}

int main(int argc, char **argv) {
  hone_model *model = lenet();
  hone_engine *engine;
  hone_context *context;
  check(hone_build(model, NULL, &engine));
  hone_model_free(model);
  if (argc > 1) check(hone_engine_save(engine, argv[1]));
  check(hone_context_new(engine, NULL, &context));

  static float pixels[28 * 28];
  for (size_t i = 0; i < 28 * 28; i++) pixels[i] = next_random();
  hone_tensor picture = {.struct_size = sizeof picture,
                         .dtype = HONE_F32,
                         .rank = 4,
                         .dims = {1, 1, 28, 28},
                         .data = pixels,
                         .size = sizeof pixels};
  hone_tensor out = {.struct_size = sizeof out};
  check(hone_set_input(context, 0, &picture));
  check(hone_run(context));
  check(hone_get_output(context, 0, &out));
  for (int i = 0; i < 10; i++) printf("%d: %.6f\n", i, (double)((const float *)out.data)[i]);

  hone_context_free(context);
  hone_engine_free(engine);
  return 0;
}
