/* Seals in bursts by intel-ipsec-mb. Messages under ChaCha20-Poly1305 are done when they are submitted, in order,
 * so a burst goes in and comes out whole. The library's "nocheck" call is used: what it would check is asserted
 * or constant here. Data plane; each lcore has a manager of its own.
 *
 * The manager lives in the caller's memory, after the struct. Where the library does not know this CPU, bursts
 * are done by libsodium. */
#include <intel-ipsec-mb.h>
#include <sodium.h>

#include "netcode_private.h"

enum { STEP = 32 }; /* jobs submitted at once: two cache lines of pointers; more is not faster */

struct vx_aead {
    IMB_MGR *manager; /* NULL: libsodium */
} VX_ALIGNED;

size_t vx_aead_bytes(void)
{
    return sizeof(struct vx_aead) + (imb_get_mb_mgr_size() + VX_CACHE_LINE_BYTES - 1) / VX_CACHE_LINE_BYTES * VX_CACHE_LINE_BYTES;
}

struct vx_aead *vx_aead_create(void *memory)
{
    struct vx_aead *aead = memory;
    IMB_ARCH arch = IMB_ARCH_NONE;
    VX_ASSERT((uintptr_t)memory % VX_CACHE_LINE_BYTES == 0 && vx_netcode_start() == 0);
    aead->manager = imb_set_pointers_mb_mgr(aead + 1, 0, 1);
    if (aead->manager != NULL)
        init_mb_mgr_auto(aead->manager, &arch);
    if (aead->manager == NULL || imb_get_errno(aead->manager) != 0 || arch < IMB_ARCH_SSE)
        aead->manager = NULL;
    return aead;
}

const char *vx_aead_library(const struct vx_aead *aead)
{
    return aead->manager != NULL ? "intel-ipsec-mb" : "libsodium";
}

static void job_describe(IMB_JOB *to, const struct vx_aead_job *job, IMB_CIPHER_DIRECTION direction, uint8_t *tag)
{
    to->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    to->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    to->cipher_direction = direction;
    to->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    to->enc_keys = to->dec_keys = job->key;
    to->key_len_in_bytes = VX_NETCODE_KEY_BYTES;
    to->iv = job->nonce;
    to->iv_len_in_bytes = sizeof(job->nonce);
    to->src = to->dst = job->data;
    to->cipher_start_src_offset_in_bytes = to->hash_start_src_offset_in_bytes = 0;
    to->msg_len_to_cipher_in_bytes = to->msg_len_to_hash_in_bytes = job->bytes;
    to->u.CHACHA20_POLY1305.aad = job->aad;
    to->u.CHACHA20_POLY1305.aad_len_in_bytes = job->aad_bytes;
    to->auth_tag_output = tag;
    to->auth_tag_output_len_in_bytes = VX_NETCODE_TAG_BYTES;
}

/* At most STEP jobs. tags: where they go, or NULL for after each job's text. */
static void step(IMB_MGR *manager, const struct vx_aead_job *jobs, uint32_t count, IMB_CIPHER_DIRECTION direction, uint8_t (*tags)[VX_NETCODE_TAG_BYTES])
{
    IMB_JOB *theirs[STEP];
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(jobs[i].key);
    VX_ASSERT(IMB_GET_NEXT_BURST(manager, count, theirs) == count);
    for (uint32_t i = 0; i < count; i++)
        job_describe(theirs[i], &jobs[i], direction, tags != NULL ? tags[i] : jobs[i].data + jobs[i].bytes);
    VX_ASSERT(IMB_SUBMIT_BURST_NOCHECK(manager, count, theirs) == count);
}

void vx_aead_seal(struct vx_aead *aead, struct vx_aead_job *jobs, uint32_t count)
{
    if (aead->manager == NULL) {
        vx_aead_seal_scalar(jobs, count);
        return;
    }
    for (uint32_t done = 0; done < count; done += STEP)
        step(aead->manager, jobs + done, count - done < STEP ? count - done : STEP, IMB_DIR_ENCRYPT, NULL);
}

uint32_t vx_aead_open(struct vx_aead *aead, struct vx_aead_job *jobs, uint32_t count)
{
    uint8_t tags[STEP][VX_NETCODE_TAG_BYTES];
    uint32_t opened = 0;
    if (aead->manager == NULL)
        return vx_aead_open_scalar(jobs, count);
    for (uint32_t done = 0; done < count; done += STEP) {
        uint32_t some = count - done < STEP ? count - done : STEP;
        step(aead->manager, jobs + done, some, IMB_DIR_DECRYPT, tags);
        for (uint32_t i = done; i < done + some; i++) {
            jobs[i].ok = crypto_verify_16(tags[i - done], jobs[i].data + jobs[i].bytes) == 0;
            opened += jobs[i].ok;
        }
    }
    return opened;
}
