/* What generated kernels use: names of types, operations with fixed results, and reductions. No system header. */

typedef _Bool b8;
typedef unsigned char u8;
typedef __UINT16_TYPE__ u16;
typedef u16 f16;
typedef u16 bf16;
typedef __INT32_TYPE__ i32;
typedef __INT64_TYPE__ i64;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
typedef float f32;
typedef double f64;

#define FN static inline __attribute__((always_inline, unused))
#define OUTLINE static __attribute__((noinline, unused))
#ifdef __clang__
#define MG_SIMD _Pragma("clang loop vectorize(assume_safety)")
#else
#define MG_SIMD _Pragma("GCC ivdep")
#endif

#define mg_mul_u32(a, b) ((a) * (b))
/* GCC 12 makes one rounded operation (vfmaddsub) of products that are added and subtracted in turn, as in products of complex
   numbers, whatever -ffp-contract says; not across this. */
#if defined __GNUC__ && !defined __clang__ && __GNUC__ >= 12
#define MG_ROUNDED(x) __builtin_assoc_barrier(x)
#else
#define MG_ROUNDED(x) (x)
#endif
#define mg_mul_f32(a, b) MG_ROUNDED((a) * (b))
#define mg_mul_f64(a, b) MG_ROUNDED((a) * (b))
#define mg_high_u32(a, b) ((u32)((u64)(a) * (b) >> 32))

