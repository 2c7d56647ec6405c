"""Makes a tiny model with random weights and DeepSeek-V3's architecture, and a tokenizer of bytes. Nothing is downloaded.

Usage: tiny_model.py DIRECTORY
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, DeepseekV3Config, PreTrainedTokenizerFast

SPECIAL = ["<|begin|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]

CHAT_TEMPLATE = (
    "<|begin|>{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if not (loop.last and continue_final_message) %}<|end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """A token for each byte, and the marks of a chat."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(SPECIAL + alphabet)}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(SPECIAL)
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token=SPECIAL[0], eos_token=SPECIAL[1], pad_token=SPECIAL[1])
    fast.chat_template = CHAT_TEMPLATE
    return fast


def config(vocabulary: int) -> DeepseekV3Config:
    """DeepSeek-V3's shape: latent attention of its true width, one dense layer and two of experts, few and small ones."""
    return DeepseekV3Config(
        vocab_size=vocabulary,
        hidden_size=128,
        intermediate_size=256,
        moe_intermediate_size=64,
        num_hidden_layers=3,
        first_k_dense_replace=1,
        num_attention_heads=4,
        num_key_value_heads=4,
        n_shared_experts=1,
        n_routed_experts=8,
        num_experts_per_tok=2,
        n_group=1,
        topk_group=1,
        kv_lora_rank=512,
        q_lora_rank=64,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        max_position_embeddings=4096,
        rope_scaling=None,
        bos_token_id=0,
        eos_token_id=1,
        # As in DeepSeek-V3's own configuration, which the library does not write by itself.
        topk_method="noaux_tc",
        scoring_func="sigmoid",
    )


def main(directory: str) -> None:
    torch.manual_seed(7)
    words = tokenizer()
    model = AutoModelForCausalLM.from_config(config(len(words)), dtype=torch.bfloat16)
    Path(directory).mkdir(parents=True, exist_ok=True)
    model.save_pretrained(directory)
    words.save_pretrained(directory)


if __name__ == "__main__":
    main(sys.argv[1])
