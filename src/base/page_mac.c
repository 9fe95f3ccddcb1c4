/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NH over a page, twice: the second time with the key moved by four words (the Toeplitz way of RFC 4418). */
#include <errno.h>
#include <immintrin.h>
#include <sys/random.h>

#include "base/page_mac.h"

struct ksma_error *ksma_page_mac_init(struct ksma_page_mac_key *ret_key)
{
	struct ksma_page_mac_key key = { .width = __builtin_cpu_supports("avx512f") ? 64
						  : __builtin_cpu_supports("avx2")  ? 32
										    : 16 };

	for (size_t have = 0; have < sizeof(key.bytes);) {
		ssize_t n = getrandom(key.bytes + have, sizeof(key.bytes) - have, 0);

		if (n < 0 && errno != EINTR)
			return ksma_error_os(errno, "getrandom");
		if (n > 0)
			have += (size_t)n;
	}
	*ret_key = key;
	return NULL;
}

/* Each pair of 32-bit words is added to the key's, and the two sums are multiplied with each other. */
static struct ksma_page_mac narrow(const uint8_t *key, const uint8_t *page)
{
	__m128i low = _mm_setzero_si128(), high = low;
	uint64_t sums[4];

	for (size_t i = 0; i < KSMA_MAC_PAGE; i += 16) {
		__m128i words = _mm_loadu_si128((const __m128i *)(page + i));
		__m128i a = _mm_add_epi32(words, _mm_loadu_si128((const __m128i *)(key + i)));
		__m128i b = _mm_add_epi32(
			words, _mm_loadu_si128((const __m128i *)(key + i + KSMA_MAC_SHIFT)));

		low = _mm_add_epi64(low, _mm_mul_epu32(a, _mm_srli_epi64(a, 32)));
		high = _mm_add_epi64(high, _mm_mul_epu32(b, _mm_srli_epi64(b, 32)));
	}
	_mm_storeu_si128((__m128i *)sums, low);
	_mm_storeu_si128((__m128i *)(sums + 2), high);
	return (struct ksma_page_mac){ sums[0] + sums[1], sums[2] + sums[3] };
}

__attribute__((target("avx2"))) static struct ksma_page_mac wide(const uint8_t *key,
								 const uint8_t *page)
{
	__m256i low = _mm256_setzero_si256(), high = low;
	uint64_t sums[8];

	for (size_t i = 0; i < KSMA_MAC_PAGE; i += 32) {
		__m256i words = _mm256_loadu_si256((const __m256i *)(page + i));
		__m256i a = _mm256_add_epi32(words, _mm256_loadu_si256((const __m256i *)(key + i)));
		__m256i b = _mm256_add_epi32(
			words, _mm256_loadu_si256((const __m256i *)(key + i + KSMA_MAC_SHIFT)));

		low = _mm256_add_epi64(low, _mm256_mul_epu32(a, _mm256_srli_epi64(a, 32)));
		high = _mm256_add_epi64(high, _mm256_mul_epu32(b, _mm256_srli_epi64(b, 32)));
	}
	_mm256_storeu_si256((__m256i *)sums, low);
	_mm256_storeu_si256((__m256i *)(sums + 4), high);
	return (struct ksma_page_mac){ sums[0] + sums[1] + sums[2] + sums[3],
				       sums[4] + sums[5] + sums[6] + sums[7] };
}

__attribute__((target("avx512f"))) static struct ksma_page_mac widest(const uint8_t *key,
								      const uint8_t *page)
{
	__m512i low = _mm512_setzero_si512(), high = low;
	uint64_t sums[16];

	for (size_t i = 0; i < KSMA_MAC_PAGE; i += 64) {
		__m512i words = _mm512_loadu_si512(page + i);
		__m512i a = _mm512_add_epi32(words, _mm512_loadu_si512(key + i));
		__m512i b = _mm512_add_epi32(words, _mm512_loadu_si512(key + i + KSMA_MAC_SHIFT));

		low = _mm512_add_epi64(low, _mm512_mul_epu32(a, _mm512_srli_epi64(a, 32)));
		high = _mm512_add_epi64(high, _mm512_mul_epu32(b, _mm512_srli_epi64(b, 32)));
	}
	_mm512_storeu_si512(sums, low);
	_mm512_storeu_si512(sums + 8, high);
	return (struct ksma_page_mac){
		sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7],
		sums[8] + sums[9] + sums[10] + sums[11] + sums[12] + sums[13] + sums[14] + sums[15]
	};
}

struct ksma_page_mac ksma_page_mac(const struct ksma_page_mac_key *key, const uint8_t *page)
{
	switch (key->width) {
	case 64:
		return widest(key->bytes, page);
	case 32:
		return wide(key->bytes, page);
	default:
		return narrow(key->bytes, page);
	}
}
