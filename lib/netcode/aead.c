/* Seals by libsodium: one message after the other. What clients and tools use, and the burst's fallback. */
#include <errno.h>
#include <sodium.h>

#include "netcode_private.h"

int vx_netcode_start(void)
{
    return sodium_init() < 0 ? -ENOSYS : 0;
}

void vx_netcode_wipe(void *memory, size_t bytes)
{
    sodium_memzero(memory, bytes);
}

/* The next key, while this message is under way: with many sessions it is in no cache. */
static void next_prefetch(const struct vx_aead_job *job, const struct vx_aead_job *end)
{
    if (job + 1 < end)
        __builtin_prefetch(job[1].key);
}

void vx_aead_seal_scalar(struct vx_aead_job *jobs, uint32_t count)
{
    for (struct vx_aead_job *job = jobs; job < jobs + count; job++) {
        next_prefetch(job, jobs + count);
        (void)crypto_aead_chacha20poly1305_ietf_encrypt_detached(job->data, job->data + job->bytes, NULL, job->data, job->bytes, job->aad, job->aad_bytes, NULL,
                                                                 job->nonce, job->key);
    }
}

uint32_t vx_aead_open_scalar(struct vx_aead_job *jobs, uint32_t count)
{
    uint32_t opened = 0;
    for (struct vx_aead_job *job = jobs; job < jobs + count; job++) {
        next_prefetch(job, jobs + count);
        job->ok = crypto_aead_chacha20poly1305_ietf_decrypt_detached(job->data, NULL, job->data, job->bytes, job->data + job->bytes, job->aad, job->aad_bytes,
                                                                     job->nonce, job->key) == 0;
        opened += job->ok;
    }
    return opened;
}

void vx_xaead_seal(const uint8_t *in, uint32_t bytes, const uint8_t *aad, uint32_t aad_bytes, const uint8_t nonce[24], const uint8_t *key, uint8_t *out)
{
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, in, bytes, aad, aad_bytes, NULL, nonce, key);
}

bool vx_xaead_open(const uint8_t *in, uint32_t bytes, const uint8_t *aad, uint32_t aad_bytes, const uint8_t nonce[24], const uint8_t *key, uint8_t *out)
{
    return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in, bytes + VX_NETCODE_TAG_BYTES, aad, aad_bytes, nonce, key) == 0;
}
