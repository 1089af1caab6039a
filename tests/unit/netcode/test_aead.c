/* netcode's seals: the vectors of RFC 8439 and of draft-irtf-cfrg-xchacha-03 through both libraries, bursts of every size
 * against one message at a time, and every bit of a message that is not the sealer's. */
#include <stdlib.h>

#include "netcode_test.h"

enum { TEXT_MAX = 1300 };
static struct vx_aead *aead;

struct vector {
    const char *key, *nonce, *aad, *text, *sealed; /* sealed: text and tag */
};
#define SUNSCREEN "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
static const struct vector rfc8439_2_8_2 = {
    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7", SUNSCREEN,
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
    "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116 1ae10b594f09e26a7e902ecbd0600691"
};
static const struct vector rfc8439_a_5 = {
    "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", "000000000102030405060708", "f33388860000000000004e91",
    "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or obsoleted by other documents at any "
    "time. It is inappropriate to use Internet-Drafts as reference material or to cite them other than as /\xe2\x80\x9cwork in progress./\xe2\x80\x9d",
    "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf"
    "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4"
    "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
    "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29"
    "a6ad5cb4022b02709b eead9d67890cbb22392336fea1851f38"
};
static const struct vector xchacha_a_3_1 = {
    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "404142434445464748494a4b4c4d4e4f5051525354555657", "50515253c0c1c2c3c4c5c6c7",
    SUNSCREEN,
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
    "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e c0875924c1c7987947deafd8780acf49"
};

static void check_vector(const struct vector *vector, bool in_burst)
{
    uint8_t key[32], nonce[24], aad[64], sealed[TEXT_MAX], data[TEXT_MAX];
    uint32_t bytes = (uint32_t)strlen(vector->text);
    struct vx_aead_job job = { .key = key, .aad = aad, .data = data, .bytes = bytes };
    CU_ASSERT_EQUAL(hex_read(vector->key, key), 32);
    CU_ASSERT_EQUAL_FATAL(hex_read(vector->nonce, nonce), 12);
    job.aad_bytes = (uint16_t)hex_read(vector->aad, aad);
    CU_ASSERT_EQUAL_FATAL(hex_read(vector->sealed, sealed), bytes + 16);
    memcpy(job.nonce, nonce, 12);
    memcpy(data, vector->text, bytes);
    in_burst ? vx_aead_seal(aead, &job, 1) : vx_aead_seal_scalar(&job, 1);
    CU_ASSERT_EQUAL(memcmp(data, sealed, bytes + 16), 0);
    CU_ASSERT_EQUAL(in_burst ? vx_aead_open(aead, &job, 1) : vx_aead_open_scalar(&job, 1), 1);
    CU_ASSERT(job.ok && memcmp(data, vector->text, bytes) == 0);
}

static void the_rfc_says_the_same(void)
{
    for (uint32_t in_burst = 0; in_burst < 2; in_burst++) {
        check_vector(&rfc8439_2_8_2, in_burst);
        check_vector(&rfc8439_a_5, in_burst);
    }
}

static void the_xchacha_draft_says_the_same(void)
{
    uint8_t key[32], nonce[24], aad[64], sealed[TEXT_MAX], data[TEXT_MAX], opened[TEXT_MAX];
    uint32_t bytes = sizeof(SUNSCREEN) - 1;
    CU_ASSERT(hex_read(xchacha_a_3_1.key, key) == 32 && hex_read(xchacha_a_3_1.nonce, nonce) == 24 && hex_read(xchacha_a_3_1.aad, aad) == 12);
    CU_ASSERT_EQUAL_FATAL(hex_read(xchacha_a_3_1.sealed, sealed), bytes + 16);
    vx_xaead_seal((const uint8_t *)SUNSCREEN, bytes, aad, 12, nonce, key, data);
    CU_ASSERT_EQUAL(memcmp(data, sealed, bytes + 16), 0);
    CU_ASSERT(vx_xaead_open(data, bytes, aad, 12, nonce, key, opened) && memcmp(opened, SUNSCREEN, bytes) == 0);
    data[bytes] ^= 1;
    CU_ASSERT(!vx_xaead_open(data, bytes, aad, 12, nonce, key, opened));
}

/* Messages of every length up to 1208 and bursts of every size up to twice the maximum: the two libraries agree. */
enum { JOBS_MAX = 2 * VX_AEAD_BURST_MAX };
static struct {
    uint8_t key[32], aad[32], data[TEXT_MAX], twin[TEXT_MAX];
} messages[JOBS_MAX];

static void messages_make(struct vx_aead_job *jobs, struct vx_aead_job *twins, uint32_t count, struct vx_rng *rng)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t sequence = vx_rng_next(rng);
        pattern(messages[i].key, 32, vx_rng_below(rng, 256) | 1, vx_rng_below(rng, 256));
        pattern(messages[i].aad, 32, vx_rng_below(rng, 256) | 1, vx_rng_below(rng, 256));
        pattern(messages[i].data, TEXT_MAX, vx_rng_below(rng, 256) | 1, vx_rng_below(rng, 256));
        memcpy(messages[i].twin, messages[i].data, TEXT_MAX);
        jobs[i] = (struct vx_aead_job){ .key = messages[i].key, .aad = messages[i].aad, .data = messages[i].data, .bytes = vx_rng_below(rng, 1209),
                                        .aad_bytes = (uint16_t)vx_rng_below(rng, 33) };
        vx_netcode_nonce(jobs[i].nonce, sequence);
        twins[i] = jobs[i];
        twins[i].data = messages[i].twin;
    }
}

static void bursts_are_single_messages(void)
{
    static struct vx_aead_job jobs[JOBS_MAX], twins[JOBS_MAX];
    struct vx_rng rng = { 1 };
    for (uint32_t count = 0; count <= JOBS_MAX; count++) {
        messages_make(jobs, twins, count, &rng);
        vx_aead_seal(aead, jobs, count);
        vx_aead_seal_scalar(twins, count);
        for (uint32_t i = 0; i < count; i++)
            CU_ASSERT_EQUAL(memcmp(messages[i].data, messages[i].twin, TEXT_MAX), 0); /* and nothing beyond the tag */
        for (uint32_t i = 0; i < count; i += 3)
            jobs[i].data[vx_rng_below(&rng, jobs[i].bytes + 16)] ^= (uint8_t)(1u << vx_rng_below(&rng, 8));
        CU_ASSERT_EQUAL(vx_aead_open(aead, jobs, count), count - (count + 2) / 3);
        for (uint32_t i = 0; i < count; i++)
            CU_ASSERT_EQUAL(jobs[i].ok, i % 3 != 0);
    }
}

static void empty_messages_have_tags_too(void)
{
    for (uint32_t in_burst = 0; in_burst < 2; in_burst++) {
        uint8_t key[32] = { 7 }, aad[22] = { 1 }, tag[16];
        struct vx_aead_job job = { .key = key, .aad = aad, .data = tag, .aad_bytes = 22 };
        vx_aead_seal_scalar(&job, 1);
        CU_ASSERT_EQUAL(in_burst ? vx_aead_open(aead, &job, 1) : vx_aead_open_scalar(&job, 1), 1);
        aad[21] ^= 0x80;
        CU_ASSERT_EQUAL(in_burst ? vx_aead_open(aead, &job, 1) : vx_aead_open_scalar(&job, 1), 0);
    }
}

/* Every single bit of key, nonce, associated data, text and tag. */
static void one_bit_is_enough(void)
{
    uint8_t key[32], aad[22], sealed[24];
    struct vx_aead_job job = { .key = key, .aad = aad, .data = sealed, .bytes = 8, .aad_bytes = 22 };
    uint8_t *const parts[] = { key, job.nonce, aad, sealed };
    const uint32_t bytes[] = { 32, 12, 22, 24 };
    uint32_t opened = 0;
    for (uint32_t part = 0; part < 4; part++)
        for (uint32_t bit = 0; bit < bytes[part] * 8; bit++)
            for (uint32_t in_burst = 0; in_burst < 2; in_burst++) {
                pattern(key, 32, 3, 1);
                pattern(aad, 22, 5, 2);
                pattern(job.nonce, 12, 7, 3);
                memset(sealed, 0x55, 8);
                vx_aead_seal_scalar(&job, 1);
                parts[part][bit / 8] ^= (uint8_t)(1u << bit % 8);
                opened += in_burst ? vx_aead_open(aead, &job, 1) : vx_aead_open_scalar(&job, 1);
            }
    CU_ASSERT_EQUAL(opened, 0);
}

static void wiping_clears(void)
{
    uint8_t key[32], zero[32] = { 0 };
    pattern(key, 32, 3, 1);
    vx_netcode_wipe(key, 32);
    CU_ASSERT_EQUAL(memcmp(key, zero, 32), 0);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "the RFC says the same", the_rfc_says_the_same },
        { "the XChaCha draft says the same", the_xchacha_draft_says_the_same },
        { "bursts are single messages", bursts_are_single_messages },
        { "empty messages have tags too", empty_messages_have_tags_too },
        { "one bit is enough", one_bit_is_enough },
        { "wiping clears", wiping_clears },
    };
    void *memory = aligned_alloc(VX_CACHE_LINE_BYTES, vx_aead_bytes());
    VX_ASSERT(memory != NULL && vx_netcode_start() == 0);
    aead = vx_aead_create(memory);
    printf("bursts are sealed by %s\n", vx_aead_library(aead));
    int rc = vx_test_main("netcode seals", tests, sizeof(tests) / sizeof(tests[0]));
    free(memory);
    return rc;
}
