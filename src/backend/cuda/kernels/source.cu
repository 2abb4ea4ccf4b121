// Each element of y is one of another tensor's, or a fill; `SOURCE` says which. p[0]… the inputs, p[4] y, p[5] where a
// fault goes; n[0] elements of y. T has the elements' width, I is the type of indices. Index is what elements are
// counted in.
#define X ((const T *)a.p[0])

// Where place `at` of a padded axis lies on the axis of `size`; -1: outside.
template <int mode> __device__ __forceinline__ s64 padded_place(s64 at, s64 size) {
  if (at >= 0 && at < size) return at;
  if (mode == 'c') return -1;
  if (mode == 'e' || size == 1) return at < 0 ? 0 : size - 1;
  s64 period = mode == 'w' ? size : 2 * (size - 1);
  at = remainder_of(at < 0 ? at % period + period : at, period);
  return at < size ? at : period - at;
}
// pad, and tile, which is `wrap` with nothing before. p[2] the fill or NULL; n[1] rank, n[8…] sizes of y, n[16…] pads
// before, n[24…] sizes of x, n[32…] its strides.
template <class Index, int mode> __device__ __forceinline__ T of_padded(const Args &a, Index i) {
  s64 from = 0;
  bool outside = false;
  for (int d = (int)a.n[1] - 1; d >= 0; d--) {
    Index size = (Index)a.n[8 + d];
    s64 at = padded_place<mode>((s64)(i % size) - a.n[16 + d], a.n[24 + d]);
    outside = outside || at < 0;
    from += at * a.n[32 + d];
    i /= size;
  }
  return !outside ? X[from] : a.p[2] ? *(const T *)a.p[2] : T(0);
}
template <class Index> __device__ __forceinline__ T constant(const Args &a, Index i) { return of_padded<Index, 'c'>(a, i); }
template <class Index> __device__ __forceinline__ T edge(const Args &a, Index i) { return of_padded<Index, 'e'>(a, i); }
template <class Index> __device__ __forceinline__ T reflect(const Args &a, Index i) { return of_padded<Index, 'r'>(a, i); }
template <class Index> __device__ __forceinline__ T wrap(const Args &a, Index i) { return of_padded<Index, 'w'>(a, i); }

// n[1] rank, n[2] the axis, n[3] its size in x, n[8…] sizes of y, n[16…] strides of x; p[1] indices.
template <class Index> __device__ __forceinline__ T gather_elements(const Args &a, Index i) {
  s64 at = index_at(a, a.p[1], i, a.n[3]);
  if (at < 0) return T(0);
  s64 from = at * a.n[16 + a.n[2]];
  for (int d = (int)a.n[1] - 1; d >= 0; d--) {
    Index size = (Index)a.n[8 + d];
    if (d != a.n[2]) from += (s64)(i % size) * a.n[16 + d];
    i /= size;
  }
  return X[from];
}

// n[1] elements of a slice, n[2] indices of a place, n[3] places of a batch entry, n[4] elements of one in x, n[8…] the
// sizes of the axes that indices speak of; p[1] indices.
template <class Index> __device__ __forceinline__ T gather_nd(const Args &a, Index i) {
  Index run = (Index)a.n[1], pick = i / run;
  s64 from = 0;
  for (int d = 0; d < a.n[2]; d++) {
    s64 at = index_at(a, a.p[1], (s64)pick * a.n[2] + d, a.n[8 + d]);
    if (at < 0) return T(0);
    from = from * a.n[8 + d] + at;
  }
  return X[(s64)(pick / (Index)a.n[3]) * a.n[4] + from * a.n[1] + i % run];
}

// n[1] rows, n[2] columns, n[3] whether what is above the diagonal stays; p[1] which diagonal, or NULL.
template <class Index> __device__ __forceinline__ T trilu(const Args &a, Index i) {
  Index columns = (Index)a.n[2], row = i / columns % (Index)a.n[1];
  s64 off = (s64)(i % columns) - (s64)row, k = a.p[1] ? (s64)load<I>(a.p[1], 0) : 0;
  return (a.n[3] ? off >= k : off <= k) ? X[i] : T(0);
}

// n[1] classes, n[2] elements after the axis; p[0] indices, p[2] the values off and on. What is no class has none.
template <class Index> __device__ __forceinline__ T one_hot(const Args &a, Index i) {
  Index inner = (Index)a.n[2], classes = (Index)a.n[1], place = i / inner % classes;
  s64 at = (s64)load<I>(a.p[0], (s64)(i / inner / classes) * a.n[2] + i % inner);
  return ((const T *)a.p[2])[(at < 0 ? at + a.n[1] : at) == (s64)place];
}

// n[1] and n[2] size of the time axis and elements after it, n[3] and n[4] of the batch axis; p[1] lengths.
template <class Index> __device__ __forceinline__ T reverse_sequence(const Args &a, Index i) {
  Index after = (Index)a.n[2], time = i / after % (Index)a.n[1], entry = i / (Index)a.n[4] % (Index)a.n[3];
  s64 length = count_at(a, a.p[1], entry, a.n[1] + 1);
  return X[(s64)time < length ? i + (length - 1 - 2 * (s64)time) * a.n[2] : (s64)i];
}

// n[1] elements after the axis, n[2] and n[3] its sizes in x and the update, n[4] lines of a batch entry, n[5] how many
// starts fit; p[1] the update, p[2] starts or NULL.
template <class Index> __device__ __forceinline__ T tensor_scatter(const Args &a, Index i) {
  Index inner = (Index)a.n[1], size = (Index)a.n[2], line = i / inner / size;
  s64 start = a.p[2] ? count_at(a, a.p[2], line / (Index)a.n[4], a.n[5]) : 0;
  s64 at = (s64)(i / inner % size) - start;
  if (at < 0) at += a.n[2];
  return at < a.n[3] ? ((const T *)a.p[1])[((s64)line * a.n[3] + at) * a.n[1] + i % inner] : X[i];
}

// The same bytes.
template <class Index> __device__ __forceinline__ T copy(const Args &a, Index i) { return X[i]; }

template <class Index> __device__ __forceinline__ void fill(const Args &a) {
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x)
    ((T *)a.p[4])[i] = SOURCE<Index>(a, (Index)i);
}
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  if (IS_SMALL(a.n[0])) fill<u32>(a);
  else fill<s64>(a);
}
