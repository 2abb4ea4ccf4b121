// Places that data gives. A fault is {set, step, element, value, bound}; the first to come is kept.
// It goes where p[FAULT] points; n[79] is the step.
__device__ __forceinline__ s64 no_place(const Args &a, s64 which, s64 value, s64 bound) {
  u64 *fault = (u64 *)a.p[FAULT];
  if (atomicCAS(fault, 0ull, 1ull) == 0) {
    fault[1] = (u64)a.n[79];
    fault[2] = (u64)which;
    fault[3] = (u64)value;
    fault[4] = (u64)bound;
  }
  return -1;
}
// Element `which` of the indices at `from` as a place below `size`; -1 where it is none.
__device__ __forceinline__ s64 count_at(const Args &a, const void *from, s64 which, s64 size) {
  s64 at = (s64)load<I>(from, which);
  return at < 0 || at >= size ? no_place(a, which, at, size) : at;
}
// The same where negative ones count from the end.
__device__ __forceinline__ s64 index_at(const Args &a, const void *from, s64 which, s64 size) {
  s64 index = (s64)load<I>(from, which), at = index < 0 ? index + size : index;
  return at < 0 || at >= size ? no_place(a, which, index, size) : at;
}
