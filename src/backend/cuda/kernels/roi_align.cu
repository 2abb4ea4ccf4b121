// Samples of regions, an element a thread, channels last (He and others, Mask R-CNN, 2017). p[0] x [entries, height,
// width, channels], p[1] regions x1 y1 x2 y2 of type G, p[2] their entries of type I, p[3] y [regions, rows, columns,
// channels]. n[0] elements of y, n[1] entries, n[2] height, n[3] width, n[4] channels, n[5] rows, n[6] columns, n[7] samples
// of a cell along an axis, 0: one a pixel. Places are computed in f32, as everybody does.
__device__ __forceinline__ bool neighbours(float x, s64 size, s64 *low, s64 *high, R *part) {
  if (!(x >= -1 && x <= (float)size)) return false;
  x = fmaxf(x, 0);
  *low = (s64)x, *high = *low + 1, *part = (R)(x - (float)*low);
  if (*low >= size - 1) *low = *high = size - 1, *part = 0;
  return true;
}
__device__ __forceinline__ void take_sample(const Args &a, s64 image, float y, float x, bool first, R *sum) {
  s64 row[2] = {0, 0}, column[2] = {0, 0};
  R down = 0, right = 0, total = 0, most = -INFINITY;
  bool inside = neighbours(y, a.n[2], row, row + 1, &down) && neighbours(x, a.n[3], column, column + 1, &right);
  for (int i = 0; i < 4; i++) {
    R weight = inside ? (i / 2 ? down : 1 - down) * (i % 2 ? right : 1 - right) : R(0);
    R value = weight * load<T>(a.p[0], image + (row[i / 2] * a.n[3] + column[i % 2]) * a.n[4]);
    total += value;
    most = fmax(most, value);
  }
  if (!MAXIMUM) *sum += total;
  else if (first || most > *sum) *sum = most;
}
__device__ __forceinline__ s64 samples_of(const Args &a, float cell) {
  return a.n[7] ? a.n[7] : cell > 0 ? (s64)fminf(ceilf(cell), 4096) : 0;
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    s64 channel = i % a.n[4], across = i / a.n[4] % a.n[6], along = i / a.n[4] / a.n[6] % a.n[5];
    s64 region = i / a.n[4] / a.n[6] / a.n[5], entry = count_at(a, a.p[2], region, a.n[1]);
    const float scale = SCALE, off = HALF_PIXEL ? 0.5f : 0.0f;
    float box[4];
    for (int k = 0; k < 4; k++) box[k] = (float)load<G>(a.p[1], 4 * region + k) * scale - off;
    float width = box[2] - box[0], height = box[3] - box[1];
    if (!HALF_PIXEL) width = fmaxf(width, 1), height = fmaxf(height, 1);
    width /= (float)a.n[6], height /= (float)a.n[5];
    s64 rows = samples_of(a, height), columns = samples_of(a, width), image = entry * a.n[2] * a.n[3] * a.n[4] + channel;
    R sum = 0;
    for (s64 r = 0; entry >= 0 && r < rows; r++)
      for (s64 c = 0; c < columns; c++)
        take_sample(a, image, box[1] + (float)along * height + ((float)r + 0.5f) * height / (float)rows,
                    box[0] + (float)across * width + ((float)c + 0.5f) * width / (float)columns, r + c == 0, &sum);
    if (!MAXIMUM && rows * columns > 1) sum /= (R)(rows * columns);
    store<T>(a.p[3], i, sum);
  }
}
