/* conv, conv_transpose and pool against loops written straight from their definitions, two spatial
 * axes; and what they refuse. */
#include <math.h>

#include "one_node.h"

typedef struct layer {
  int n, h, w, c, m, groups; /* sizes; filters in all */
  int kh, kw, sh, sw, dh, dw, top, left, bottom, right;
} layer;

static const layer layers[] = {
    {2, 5, 7, 3, 4, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 9, 6, 4, 6, 2, 3, 2, 2, 3, 1, 1, 0, 2, 1, 0},
    {1, 7, 7, 5, 5, 5, 2, 3, 1, 2, 2, 1, 1, 0, 2, 1},
    {3, 1, 1, 7, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 8, 5, 2, 6, 2, 3, 3, 2, 1, 2, 2, 3, 2, 2, 3},
    {1, 6, 6, 3, 3, 3, 4, 4, 4, 4, 1, 1, 0, 0, 0, 0},
};
enum { LAYERS = sizeof layers / sizeof *layers, MOST = 8192 };

static float x[MOST], w[MOST], b[64], wanted[MOST];

static void attrs_of(const layer *l, char *text, size_t size) {
  snprintf(text, size, "strides=%d,%d dilations=%d,%d pads=%d,%d,%d,%d", l->sh, l->sw, l->dh, l->dw,
           l->top, l->left, l->bottom, l->right);
}

static int out_size(int in, int k, int s, int d, int before, int after) {
  return (in + before + after - ((k - 1) * d + 1)) / s + 1;
}

static float x_at(const layer *l, int n, int y, int column, int c) {
  if (y < 0 || y >= l->h || column < 0 || column >= l->w) return 0;
  return x[((n * l->h + y) * l->w + column) * l->c + c];
}

static float conv_at(const layer *l, int n, int oy, int ox, int m) {
  int inner = l->c / l->groups, group = m / (l->m / l->groups);
  float sum = b[m];
  for (int i = 0; i < l->kh; i++)
    for (int j = 0; j < l->kw; j++)
      for (int c = 0; c < inner; c++)
        sum += x_at(l, n, oy * l->sh - l->top + i * l->dh, ox * l->sw - l->left + j * l->dw,
                    group * inner + c) *
               w[((i * l->kw + j) * inner + c) * l->m + m];
  return sum;
}

static void check_equal(const hone_datum *got, const float *want, size_t count) {
  CHECK(hone_datum_count(got) == count);
  for (size_t i = 0; i < count && i < hone_datum_count(got); i++)
    if (((const float *)got->data)[i] != want[i]) {
      CHECK(!"an element differs");
      return;
    }
}

TEST(conv) {
  for (int i = 0; i < LAYERS; i++) {
    const layer *l = &layers[i];
    char attrs[200];
    one_node one;
    attrs_of(l, attrs, sizeof attrs - 20);
    snprintf(attrs + strlen(attrs), 20, " groups=%d", l->groups);
    int oh = out_size(l->h, l->kh, l->sh, l->dh, l->top, l->bottom);
    int ow = out_size(l->w, l->kw, l->sw, l->dw, l->left, l->right);
    hone_datum in[] = {TENSOR(HONE_F32, x, l->n, l->h, l->w, l->c),
                       TENSOR(HONE_F32, w, l->kh, l->kw, l->c / l->groups, l->m),
                       TENSOR(HONE_F32, b, l->m)};
    size_t count = 0;
    for (int n = 0; n < l->n; n++)
      for (int y = 0; y < oh; y++)
        for (int column = 0; column < ow; column++)
          for (int m = 0; m < l->m; m++) wanted[count++] = conv_at(l, n, y, column, m);
    const hone_datum *lent[] = {&in[0], &in[1], &in[2]};
    CHECK_OK(run_node(&one, "conv", attrs, lent, 3, 1));
    CHECK(one.out[0].shape.dim[1] == oh && one.out[0].shape.dim[2] == ow);
    check_equal(&one.out[0], wanted, count);
    end_node(&one);
  }
}

/* y = conv_transpose(x) is the adjoint of conv: <conv(u), x> = <u, conv_transpose(x)> for all u. */
TEST(conv_transpose_is_the_adjoint) {
  static float u[MOST];
  for (int i = 0; i < LAYERS; i++) {
    const layer *l = &layers[i];
    char attrs[200];
    one_node one, two;
    attrs_of(l, attrs, sizeof attrs - 60);
    int oh = out_size(l->h, l->kh, l->sh, l->dh, l->top, l->bottom);
    int ow = out_size(l->w, l->kw, l->sw, l->dw, l->left, l->right);
    /* Rows that the last window leaves out come back as output padding. */
    int rest_h = l->h - ((oh - 1) * l->sh - l->top - l->bottom + (l->kh - 1) * l->dh + 1);
    int rest_w = l->w - ((ow - 1) * l->sw - l->left - l->right + (l->kw - 1) * l->dw + 1);
    size_t end = strlen(attrs);
    fill(u, (size_t)(l->n * oh * ow * l->m), 77);
    /* The same weights serve both: what one calls filters the other calls channels. */
    hone_datum xs = TENSOR(HONE_F32, x, l->n, l->h, l->w, l->c);
    hone_datum us = TENSOR(HONE_F32, u, l->n, oh, ow, l->m);
    hone_datum ws = TENSOR(HONE_F32, w, l->kh, l->kw, l->c, l->m);
    const hone_datum *forward[] = {&xs, &ws}, *backward[] = {&us, &ws};
    CHECK_OK(run_node(&one, "conv", attrs, forward, 2, 1));
    snprintf(attrs + end, 60, " output_padding=%d,%d", rest_h, rest_w);
    CHECK_OK(run_node(&two, "conv_transpose", attrs, backward, 2, 1));
    CHECK(hone_datum_count(&two.out[0]) == hone_datum_count(&xs));
    double left = 0, right = 0;
    for (size_t k = 0; k < hone_datum_count(&us); k++)
      left += (double)((const float *)one.out[0].data)[k] * (double)u[k];
    for (size_t k = 0; k < hone_datum_count(&xs); k++)
      right += (double)((const float *)two.out[0].data)[k] * (double)x[k];
    CHECK(left == right);
    end_node(&one);
    end_node(&two);
  }
}

static void check_pool(const layer *l, const char *kind, bool count_pads) {
  char attrs[200];
  one_node one;
  attrs_of(l, attrs, sizeof attrs - 60);
  snprintf(attrs + strlen(attrs), 60, " kind=%s window=%d,%d count_pads=%s", kind, l->kh, l->kw,
           count_pads ? "true" : "false");
  int oh = out_size(l->h, l->kh, l->sh, l->dh, l->top, l->bottom);
  int ow = out_size(l->w, l->kw, l->sw, l->dw, l->left, l->right);
  hone_datum in = TENSOR(HONE_F32, x, l->n, l->h, l->w, l->c);
  const hone_datum *lent[] = {&in};
  CHECK_OK(run_node(&one, "pool", attrs, lent, 1, 1));
  const float *got = one.out[0].data;
  for (int i = 0; i < l->n * oh * ow * l->c; i++) {
    int c = i % l->c, ox = i / l->c % ow, oy = i / l->c / ow % oh, n = i / l->c / ow / oh;
    double sum = 0, most = -INFINITY, count = 0;
    for (int k = 0; k < l->kh * l->kw; k++) {
      int y = oy * l->sh - l->top + k / l->kw * l->dh,
          column = ox * l->sw - l->left + k % l->kw * l->dw;
      bool inside = y >= 0 && y < l->h && column >= 0 && column < l->w;
      sum += (double)x_at(l, n, y, column, c);
      if (inside) most = fmax(most, (double)x_at(l, n, y, column, c));
      count += inside || count_pads;
    }
    double want = kind[0] == 'm' ? most : sum / count;
    if (isnan(want) ? !isnan(got[i]) : (float)want != got[i]) {
      CHECK(!"a pooled element differs");
      break;
    }
  }
  end_node(&one);
}

TEST(pool) {
  for (int i = 0; i < LAYERS; i++) {
    check_pool(&layers[i], "max", false);
    check_pool(&layers[i], "avg", false);
    check_pool(&layers[i], "avg", true);
  }
}

/* ceil: a last window that starts in the end's padding is left out. */
TEST(pool_rounds_up) {
  one_node one;
  hone_datum in = TENSOR(HONE_F32, x, 1, 2, 2, 1);
  const hone_datum *lent[] = {&in};
  CHECK_OK(
      run_node(&one, "pool", "kind=max window=3,3 strides=3,3 pads=1,1,1,1 ceil=true", lent, 1, 1));
  CHECK(one.out[0].shape.dim[1] == 1);
  end_node(&one);
  in = TENSOR(HONE_F32, x, 1, 6, 6, 1);
  CHECK_OK(run_node(&one, "pool", "kind=max window=3,3 strides=2,2 ceil=true", lent, 1, 1));
  CHECK(one.out[0].shape.dim[1] == 3);
  end_node(&one);
}

/* A window a little longer than the input has one position; a stride longer, none. */
TEST(pool_windows_hang_over) {
  one_node one;
  hone_datum in = TENSOR(HONE_F32, x, 1, 1, 4, 1);
  const hone_datum *lent[] = {&in};
  CHECK_OK(run_node(&one, "pool", "kind=avg window=2,2 strides=2,2 count_pads=true", lent, 1, 1));
  CHECK(one.out[0].shape.dim[1] == 1 && one.out[0].shape.dim[2] == 2);
  CHECK(((const float *)one.out[0].data)[0] == (x[0] + x[1]) / 2);
  end_node(&one);
  CHECK_OK(run_node(&one, "pool", "kind=avg window=3,2 strides=2,2", lent, 1, 1));
  CHECK(one.out[0].shape.dim[1] == 0);
  end_node(&one);
}

static void refused(const char *op, const char *attrs, const char *text) {
  hone_datum in[] = {TENSOR(HONE_F32, x, 1, 5, 5, 4), TENSOR(HONE_F32, w, 3, 3, 4, 4)};
  const hone_datum *lent[] = {&in[0], &in[1]};
  one_node one;
  bool pool = strcmp(op, "pool") == 0;
  CHECK_ERROR(make_node(&one, op, attrs, lent, pool ? 1 : 2, 1), HONE_INVALID_MODEL, text);
  end_node(&one);
}

TEST(hostile_attributes_are_refused) {
  refused("conv", "strides=0,1", "strides");
  refused("conv", "strides=1", "strides");
  refused("conv", "dilations=1,-1", "dilations");
  refused("conv", "dilations=9223372036854775807,1", "dilations");
  refused("conv", "pads=-9223372036854775808,0,0,0", "pads");
  refused("conv", "groups=0", "groups");
  refused("conv", "groups=3", "groups");
  refused("conv", "dilations=3,3", "window spans");
  refused("conv_transpose", "output_shape=4,-5", "output_shape");
  refused("conv_transpose", "output_padding=-1,0", "output_padding");
  refused("conv_transpose", "pads=9,9,9,9", "padding is larger");
  refused("pool", "kind=max window=0,1", "window");
  refused("pool", "kind=max window=2147483647,2147483647 dilations=2147483647,1", "window spans");
  refused("pool", "kind=lp window=2,2 p=0", "p is below 1");
}

/* A symbol stays where the size must be the input's, and goes where it need not. */
TEST(symbols) {
  hone_graph *graph;
  hone_dim size;
  hone_value *in[2];
  hone_node *node;
  CHECK_OK(hone_graph_new("g", &graph));
  CHECK_OK(hone_graph_symbol(graph, "size", &size));
  CHECK_OK(hone_graph_input(
      graph, "x", hone_tensor_type(HONE_F32, hone_shape_of(4, (hone_dim[]){-1, size, 8, 4})),
      &in[0]));
  CHECK_OK(hone_graph_input(
      graph, "w", hone_tensor_type(HONE_F32, hone_shape_of(4, (hone_dim[]){3, 3, 4, 6})), &in[1]));
  CHECK_OK(hone_node_new(graph, NULL, hone_op_find("conv", 4), in, 2, 1, &node));
  CHECK_OK(set_attrs(node, "pads=1,1,1,1"));
  CHECK_OK(hone_node_infer(node));
  CHECK(hone_node_out(node, 0)->type.shape.dim[1] == size);
  CHECK(hone_node_out(node, 0)->type.shape.dim[2] == 8);
  CHECK_OK(set_attrs(node, "strides=2,2"));
  CHECK_OK(hone_node_infer(node));
  CHECK(hone_node_out(node, 0)->type.shape.dim[1] != size);
  CHECK(!hone_dim_known(hone_node_out(node, 0)->type.shape.dim[1]));
  CHECK(hone_node_out(node, 0)->type.shape.dim[2] == 4);
  hone_graph_free(graph);
}

int main(void) {
  fill(x, MOST, 1);
  fill(w, MOST, 2);
  fill(b, 64, 3);
  RUN(conv);
  memset(b, 0, sizeof b);
  RUN(conv_transpose_is_the_adjoint);
  RUN(pool);
  RUN(pool_rounds_up);
  RUN(pool_windows_hang_over);
  RUN(hostile_attributes_are_refused);
  RUN(symbols);
  return check_report();
}
