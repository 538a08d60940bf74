/* SHA-256 (FIPS 180-4): the hash of an image, without tables other than the standard's constants. */
#include "vlp.h"

#include <string.h>

static const uint32_t K[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
    0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
    0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
    0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
    0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
    0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
    0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u
};

static uint32_t right(uint32_t word, unsigned by) { return word >> by | word << (32u - by); }

static void turn(vlp_sha256 *sum)
{
    uint32_t w[64], s[8];
    size_t t;
    for (t = 0; t < 16; t++)
        w[t] = (uint32_t)sum->block[4 * t] << 24 | (uint32_t)sum->block[4 * t + 1] << 16
               | (uint32_t)sum->block[4 * t + 2] << 8 | (uint32_t)sum->block[4 * t + 3];
    for (t = 16; t < 64; t++)
        w[t] = (right(w[t - 2], 17) ^ right(w[t - 2], 19) ^ w[t - 2] >> 10) + w[t - 7]
               + (right(w[t - 15], 7) ^ right(w[t - 15], 18) ^ w[t - 15] >> 3) + w[t - 16];
    memcpy(s, sum->state, sizeof s);
    for (t = 0; t < 64; t++) {
        uint32_t one = s[7] + (right(s[4], 6) ^ right(s[4], 11) ^ right(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[t] + w[t];
        uint32_t two = (right(s[0], 2) ^ right(s[0], 13) ^ right(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += one;
        s[0] = one + two;
    }
    for (t = 0; t < 8; t++)
        sum->state[t] += s[t];
}

void vlp_sha256_begin(vlp_sha256 *sum)
{
    static const uint32_t first[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                      0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    memcpy(sum->state, first, sizeof first);
    sum->length = 0;
}

void vlp_sha256_add(vlp_sha256 *sum, const uint8_t *bytes, size_t length)
{
    size_t at;
    for (at = 0; at < length; at++) {
        sum->block[sum->length++ % 64u] = bytes[at];
        if (sum->length % 64u == 0)
            turn(sum);
    }
}

void vlp_sha256_end(vlp_sha256 *sum, uint8_t digest[32])
{
    static const uint8_t one = 0x80, none = 0;
    uint64_t bits = 8u * sum->length;
    uint8_t size[8];
    size_t at;
    for (at = 0; at < 8; at++)
        size[at] = (uint8_t)(bits >> (56u - 8u * at));
    vlp_sha256_add(sum, &one, 1);
    while (sum->length % 64u != 56u)
        vlp_sha256_add(sum, &none, 1);
    vlp_sha256_add(sum, size, sizeof size);
    for (at = 0; at < 32; at++)
        digest[at] = (uint8_t)(sum->state[at / 4] >> (24u - 8u * (at % 4)));
}
