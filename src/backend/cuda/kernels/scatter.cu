// A copy of x with some elements replaced by updates, or combined with them: scatter_elements, scatter_nd. p[0] x,
// p[1] indices of type I, p[2] updates, p[3] y, p[4] for each place the last update to it (`TAKES_LAST`), p[5] where a
// fault goes. n[0] elements of x, n[1] places, n[2] updates, n[3] elements of one; of scatter_elements n[4] rank, n[5]
// the axis, n[8…] sizes of the indices, n[16…] and n[24…] sizes and strides of x; of scatter_nd n[4] indices of a place,
// n[16…] sizes of their axes. PHASE 0 begins, 1 finds each place's last update, 2 puts them.
__device__ __forceinline__ s64 place_of(const Args &a, s64 update) {
  s64 to = 0;
#if BY_ELEMENT
  s64 at = index_at(a, a.p[1], update, a.n[16 + a.n[5]]);
  if (at < 0) return -1;
  to = at * a.n[24 + a.n[5]];
  for (int d = (int)a.n[4] - 1; d >= 0; d--) {
    if (d != a.n[5]) to += remainder_of(update, a.n[8 + d]) * a.n[24 + d];
    update /= a.n[8 + d];
  }
#else
  for (int d = 0; d < a.n[4]; d++) {
    s64 at = index_at(a, a.p[1], update * a.n[4] + d, a.n[16 + d]);
    if (at < 0) return -1;
    to = to * a.n[16 + d] + at;
  }
#endif
  return to;
}

#if !TAKES_LAST
__device__ __forceinline__ R combine(R x, R y) { return COMBINE; }
template <class Word> __device__ __forceinline__ void exchange(T *to, R y) {
  union { Word word; T value; } old, next;
  Word expected;
  old.word = *(Word *)to;
  do {
    expected = old.word;
    next.value = Element<T>::element(combine(Element<T>::value(old.value), y));
    if (next.word == expected) return;
    old.word = atomicCAS((Word *)to, expected, next.word);
  } while (old.word != expected);
}
template <int bytes> struct WordOf { typedef u64 Word; };
template <> struct WordOf<4> { typedef u32 Word; };
template <> struct WordOf<2> { typedef u16 Word; };
// Sums that the GPU does by itself.
template <class E> __device__ __forceinline__ bool add_at(E *, R) { return false; }
template <> __device__ __forceinline__ bool add_at<float>(float *to, R y) { return atomicAdd(to, (float)y), true; }
template <> __device__ __forceinline__ bool add_at<double>(double *to, R y) { return atomicAdd(to, (double)y), true; }
template <> __device__ __forceinline__ bool add_at<s32>(s32 *to, R y) { return atomicAdd((u32 *)to, (u32)(s64)y), true; }
template <> __device__ __forceinline__ bool add_at<s64>(s64 *to, R y) { return atomicAdd((u64 *)to, (u64)(s64)y), true; }
#endif

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 first = blockIdx.x * (s64)blockDim.x + threadIdx.x, step = gridDim.x * (s64)blockDim.x;
  T *y = (T *)a.p[3];
  s32 *last = (s32 *)a.p[4];
#if PHASE == 0
  for (s64 i = first; i < a.n[0]; i += step) y[i] = ((const T *)a.p[0])[i];
  for (s64 i = first; TAKES_LAST && i < a.n[1]; i += step) last[i] = -1;
#elif PHASE == 1
  for (s64 i = first; i < a.n[2]; i += step) {
    s64 to = place_of(a, i);
    if (to >= 0) atomicMax(last + to, (s32)i);
  }
#else
  for (s64 i = first; i < a.n[2] * a.n[3]; i += step) {
    s64 update = i / a.n[3], to = place_of(a, update);
    if (to < 0) continue;
    T *at = y + to * a.n[3] + remainder_of(i, a.n[3]);
#if TAKES_LAST
    if (last[to] == update) *at = ((const T *)a.p[2])[i];
#else
    R value = load<T>(a.p[2], i);
    if (!ADDS || !add_at(at, value)) exchange<WordOf<sizeof(T)>::Word>(at, value);
#endif
  }
#endif
}
