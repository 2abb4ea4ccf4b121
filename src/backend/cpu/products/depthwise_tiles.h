/* A tile function for each number of pixels up to PIXELS (4 or 7), and the row of a set that has them.
 * Room: backend/cpu/products. Included where TILE(name, pixels, width, stride, ...), which defines
 * name_pixels_width_stride, is defined. */
#if PIXELS == 4
#define TILES(name, width, stride, ...)       \
  TILE(name, 1, width, stride, ##__VA_ARGS__) \
  TILE(name, 2, width, stride, ##__VA_ARGS__) \
  TILE(name, 3, width, stride, ##__VA_ARGS__) TILE(name, 4, width, stride, ##__VA_ARGS__)
#define ROW(name, width, stride)                                                                 \
  {                                                                                              \
    NULL, name##_1_##width##_##stride, name##_2_##width##_##stride, name##_3_##width##_##stride, \
        name##_4_##width##_##stride                                                              \
  }
#else
#define TILES(name, width, stride, ...)       \
  TILE(name, 1, width, stride, ##__VA_ARGS__) \
  TILE(name, 2, width, stride, ##__VA_ARGS__) \
  TILE(name, 3, width, stride, ##__VA_ARGS__) \
  TILE(name, 4, width, stride, ##__VA_ARGS__) \
  TILE(name, 5, width, stride, ##__VA_ARGS__) \
  TILE(name, 6, width, stride, ##__VA_ARGS__) TILE(name, 7, width, stride, ##__VA_ARGS__)
#define ROW(name, width, stride)                                                                 \
  {                                                                                              \
    NULL, name##_1_##width##_##stride, name##_2_##width##_##stride, name##_3_##width##_##stride, \
        name##_4_##width##_##stride, name##_5_##width##_##stride, name##_6_##width##_##stride,   \
        name##_7_##width##_##stride                                                              \
  }
#endif
