/* Integer convolutions of one channel a group, for one instruction set: included after
 * integer_vectors_body.h. Room: backend/cpu/products. The contract is in integer_tile.h. */
#if defined(__AVX512VNNI__)
/* Bytes of four taps are interleaved by unpacking, which keeps to 128-bit lanes: vector j has
 * channels 16 d + 4 j … of each lane d, and so have the weights. */
static size_t place_of_tap(size_t tap, size_t channel) {
  size_t lane = channel / 16, vector = channel % 16 / 4;
  return (tap / 4 * 4 + vector) * 64 + (lane * 4 + channel % 4) * 4 + tap % 4;
}

HONE_INLINE __m512i load_tap(const hone_integer_tile *tile, size_t tap, size_t i, __mmask64 there) {
  if (tap >= tile->taps) return _mm512_setzero_si512();
  const char *p = (const char *)tile->rows[tap * HONE_TILE_ROWS + i] + tile->rows_offset;
  __m512i x = _mm512_maskz_loadu_epi8(there, p);
  return tile->is_signed ? _mm512_xor_si512(x, _mm512_set1_epi8((char)0x80)) : x;
}

/* Lane d of vector j becomes lane j of vector d, and the start is added. */
HONE_INLINE void store_channels(const hone_integer_tile *tile, size_t i, const __m512i *sum) {
  int32_t *to = tile->sums + i * tile->sums_stride;
  __m512i a = _mm512_shuffle_i32x4(sum[0], sum[1], 0x44);
  __m512i b = _mm512_shuffle_i32x4(sum[2], sum[3], 0x44);
  __m512i c = _mm512_shuffle_i32x4(sum[0], sum[1], 0xee);
  __m512i d = _mm512_shuffle_i32x4(sum[2], sum[3], 0xee);
  __m512i order[4] = {_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd),
                      _mm512_shuffle_i32x4(c, d, 0x88), _mm512_shuffle_i32x4(c, d, 0xdd)};
  HONE_UNROLL
  for (int j = 0; j < 4; j++)
    vi_store(to + j * 16, _mm512_add_epi32(order[j], vi_load(tile->start + j * 16)));
}

static void run_depthwise(const hone_integer_tile *tile, size_t rows, size_t channels) {
  __mmask64 there = channels < 64 ? ((__mmask64)1 << channels) - 1 : ~(__mmask64)0;
  for (size_t i = 0; i < rows; i++) {
    __m512i sum[4];
    HONE_UNROLL
    for (int j = 0; j < 4; j++) sum[j] = _mm512_setzero_si512();
    const int8_t *weights = tile->weights;
    HONE_NO_UNROLL
    for (size_t tap = 0; tap < tile->taps; tap += 4, weights += 256) {
      __m512i a = load_tap(tile, tap, i, there), b = load_tap(tile, tap + 1, i, there);
      __m512i c = load_tap(tile, tap + 2, i, there), d = load_tap(tile, tap + 3, i, there);
      __m512i low_ab = _mm512_unpacklo_epi8(a, b), high_ab = _mm512_unpackhi_epi8(a, b);
      __m512i low_cd = _mm512_unpacklo_epi8(c, d), high_cd = _mm512_unpackhi_epi8(c, d);
      MULTIPLY_ADD(sum[0], load_weights(weights), _mm512_unpacklo_epi16(low_ab, low_cd));
      MULTIPLY_ADD(sum[1], load_weights(weights + 64), _mm512_unpackhi_epi16(low_ab, low_cd));
      MULTIPLY_ADD(sum[2], load_weights(weights + 128), _mm512_unpacklo_epi16(high_ab, high_cd));
      MULTIPLY_ADD(sum[3], load_weights(weights + 192), _mm512_unpackhi_epi16(high_ab, high_cd));
    }
    store_channels(tile, i, sum);
  }
}
#elif defined(__AVX2__)
/* Pairs of taps lie together, as bytes; two taps of 8 channels are interleaved and widened. */
static size_t place_of_tap(size_t tap, size_t channel) {
  return (tap / 2 * HONE_INTEGER_CHANNELS + channel) * 2 + tap % 2;
}

/* 16 channels of a tap, of which `there` are read. */
HONE_INLINE __m128i load_tap(const hone_integer_tile *tile, size_t tap, size_t i, size_t channel,
                             size_t there) {
  if (tap >= tile->taps) return _mm_setzero_si128();
  const char *p = (const char *)tile->rows[tap * HONE_TILE_ROWS + i] + tile->rows_offset + channel;
  const __m128i flip = _mm_set1_epi8(tile->is_signed ? (char)0x80 : 0);
  if (there >= 16) return _mm_xor_si128(_mm_loadu_si128((const void *)p), flip);
  uint8_t copy[16] = {0};
  memcpy(copy, p, there);
  return _mm_xor_si128(_mm_loadu_si128((const void *)copy), flip);
}

/* 16 channels of `height` pixels from pixel i on. */
HONE_INLINE void run_channels(const hone_integer_tile *tile, size_t i, const int height,
                              size_t channel, size_t there) {
  enum { PIXELS = 4 };
  const int8_t *weights = tile->weights + 2 * channel;
  __m256i sum[PIXELS][2];
  HONE_UNROLL
  for (int p = 0; p < height; p++) {
    sum[p][0] = vi_load(tile->start + channel);
    sum[p][1] = vi_load(tile->start + channel + VF_LANES);
  }
  HONE_NO_UNROLL
  for (size_t tap = 0; tap < tile->taps; tap += 2, weights += 2 * HONE_INTEGER_CHANNELS) {
    __m256i low = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)weights));
    __m256i high = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(weights + 16)));
    HONE_UNROLL
    for (int p = 0; p < height; p++) {
      __m128i a = load_tap(tile, tap, i + (size_t)p, channel, there);
      __m128i b = load_tap(tile, tap + 1, i + (size_t)p, channel, there);
      __m256i x = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
      sum[p][0] = _mm256_add_epi32(sum[p][0], _mm256_madd_epi16(x, low));
      x = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
      sum[p][1] = _mm256_add_epi32(sum[p][1], _mm256_madd_epi16(x, high));
    }
  }
  HONE_UNROLL
  for (int p = 0; p < height; p++) {
    int32_t *to = tile->sums + (i + (size_t)p) * tile->sums_stride + channel;
    vi_store(to, sum[p][0]);
    vi_store(to + VF_LANES, sum[p][1]);
  }
}

static void run_depthwise(const hone_integer_tile *tile, size_t rows, size_t channels) {
  for (size_t channel = 0; channel < channels; channel += 16) {
    size_t i = 0, left = channels - channel;
    if (left >= 16)
      for (; i + 4 <= rows; i += 4) run_channels(tile, i, 4, channel, 16);
    for (; i < rows; i++) run_channels(tile, i, 1, channel, left);
  }
}
#else
static size_t place_of_tap(size_t tap, size_t channel) {
  return tap * HONE_INTEGER_CHANNELS + channel;
}

static void run_depthwise(const hone_integer_tile *tile, size_t rows, size_t channels) {
  uint8_t flip = tile->is_signed ? 0x80 : 0;
  for (size_t i = 0; i < rows; i++) {
    int32_t sum[HONE_INTEGER_CHANNELS];
    uint8_t x[HONE_INTEGER_CHANNELS] = {0};
    memcpy(sum, tile->start, sizeof sum);
    for (size_t tap = 0; tap < tile->taps; tap++) {
      const int8_t *w = tile->weights + tap * HONE_INTEGER_CHANNELS;
      memcpy(x, (const char *)tile->rows[tap * HONE_TILE_ROWS + i] + tile->rows_offset, channels);
      for (int c = 0; c < HONE_INTEGER_CHANNELS; c++) sum[c] += (uint8_t)(x[c] ^ flip) * w[c];
    }
    memcpy(tile->sums + i * tile->sums_stride, sum, sizeof sum);
  }
}
#endif
