// Convolution of one group whose result is small, as small.cu says.
// n[0] pixels of the result; n[14] pixels of a block at a time; n[15] times WIDE columns of a block.
__device__ __forceinline__ Places places_of(const Args &a, int share, u32 pixel) {
  u32 width = (u32)a.n[5], height = (u32)a.n[4], row = pixel / width;
  return places_at(a, share, row / height, (int)(row % height), (int)(pixel % width), pixel < a.n[0]);
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  int share = threadIdx.x % shares, line = threadIdx.x / shares, across = (int)a.n[15], slot = line / across;
  int column = ((int)blockIdx.y * across + line % across) * WIDE, own = column + first_owned(share);
  bool whole = (u64)a.p[0] % sizeof(Chunk) == 0;
  Filters by = filters_of(a, share, column);
  Fixed fixed[owned];
#pragma unroll
  for (int c = 0; c < owned; c++) fixed[c] = load_fixed(a, own + c < FILTERS ? own + c : 0);
  // Threads beyond the block's or the last pixels have none: they only take part in the sums.
  u32 none = (u32)a.n[0], step = gridDim.x * (u32)a.n[14], first = blockIdx.x * (u32)a.n[14];
  u32 pixel = slot < a.n[14] ? first + slot : none;
  Places places = places_of(a, share, pixel);
  follow(a);
  while (first < none) {
    R sum[WIDE];
    sum_pixel(by, places, whole, share, sum);
#pragma unroll
    for (int c = 0; c < owned; c++)
      if (pixel < none && share % alike == 0 && own + c < FILTERS)
        finish_fixed(a, (s64)pixel * FILTERS + own + c, own + c, sum[c], fixed[c]);
    first += step;
    if (first >= none) return;
    pixel = slot < a.n[14] ? pixel + step : none;
    places = places_of(a, share, pixel);
  }
}
