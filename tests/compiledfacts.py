"""What is in the published compiled models, found with another reader than ours.

`FILES` are paths under shared/edgetpu/models without their ends; SOURCES.md there says where each comes from. In
`NUMBERS` sizes are bytes; chunks of instructions are joined by a plus; `loading` are the instructions that load the
cached parameters; no estimate of cycles is a 0. `CONTENTS` has the name of the program that runs and how many transfers
of each kind it asks for. A line of `LAYERS` is a file, a direction and `name:bytes y,x,z type zero point`; names of
more than 45 characters are cut.
"""

from __future__ import annotations

FILES = {
    "mobilenet-0.25": "test_data/mobilenet_v1_0.25_128_quant",
    "deeplabv3": "test_data/deeplabv3_mnv2_dm05_pascal_quant",
    "deeplab-slim": "test_data/deeplab_mobilenet_edgetpu_slim_cityscapes_quant",
    "lstm": "test_data/keras_lstm_mnist_ptq",
    "movenet": "test_data/movenet_single_pose_lightning_ptq",
    "posenet": "test_data/posenet_mobilenet_v1_075_353_481_16_quant_decoder",
    "split-concat": "test_data/split_concat",
    "mobilenet-0.25-with-3": "test_data/cocompilation/mobilenet_v1_0.25_128_quant_cocompiled_with_3quant",
    "mobilenet-0.5-with-3": "test_data/cocompilation/mobilenet_v1_0.5_160_quant_cocompiled_with_3quant",
    "mobilenet-with-v4": "test_data/cocompilation/mobilenet_v1_0.25_128_quant_cocompiled_with_inception_v4_299_quant",
    "ssd-segment-1": "test_data/pipeline/ssd_mobilenet_v2_coco_quant_postprocess_segment_1_of_4",
    "ssd-segment-3": "test_data/pipeline/ssd_mobilenet_v2_coco_quant_postprocess_segment_3_of_4",
    "mobilenet-0.25-v2.1": "old_v2.1/mobilenet_v1_0.25_128_quant",
    "mobilenet-0.25-v2.0": "old_v2.0/mobilenet_v1_0.25_128_quant",
    "dense-256": "v16/dense_256",
    "looming": "v16/looming_64x64_3x3",
    "gabor": "v16/gabor_64x64_p4",
    "bright-16x16": "v16/bright_16x16",
    "bright-128x128": "v16/bright_128x128",
}

NUMBERS = """
file                  size    rt compiler     cached  streamed instructions  loading scratch narrow cycles
mobilenet-0.25        801454  12 cl/          566912  0        170032        12624   0       8996   0
deeplabv3             1107584 12 cl/          766720  0        160672        8016    0       192744 0
deeplab-slim          3060864 12 cl/          2654784 0        262080+103584 8912    1393920 189544 0
lstm                  140096  12 cl/          43968   576      60864         3152    672     4876   0
movenet               3087168 12 cl/          2862656 2368     133408        10032   0       73824  0
posenet               1598832 12 cl/          1444608 0        118368        4816    0       147648 0
split-concat          58504   13 cl/343520747 192     0        23648         1232    0       832    0
mobilenet-0.25-with-3 809646  12 cl/          315840  251072   182928        4560    0       8996   0
mobilenet-0.5-with-3  1747630 12 cl/          1024960 448320   217792        5328    0       20512  0
mobilenet-with-v4     805550  12 cl/          318144  248768   182560        4688    0       8996   0
ssd-segment-1         1144352 12 cl/          1090304 0        18048         1360    0       43216  0
ssd-segment-3         2593792 12 cl/          2360768 0        116176        4176    0       150820 0
mobilenet-0.25-v2.1   602680  12 cl/          518656  0        45712         6352    0       8996   21568
mobilenet-0.25-v2.0   606600  10 cl/          518656  0        47616         6448    0       8996   21568
dense-256             103040  14 cl/          67584   0        4224          1072    0       832    0
looming               53856   14 cl/          1024    0        20320         944     0       6436   0
gabor                 37440   14 cl/          3200    0        7040          688     0       4048   0
bright-16x16          57952   14 cl/          8384    0        18240         944     0       1348   0
bright-128x128        606848  14 cl/          192     524288   49696         688     0       70660  0
"""

LEFT_ON_CPU = {
    "deeplabv3": {"ARG_MAX": 1, "CONCATENATION": 1, "CONV_2D": 2, "QUANTIZE": 1, "RESIZE_BILINEAR": 3},
    "deeplab-slim": {"ARG_MAX": 1, "RESIZE_BILINEAR": 1},
    "movenet": {
        "ADD": 6,
        "ARG_MAX": 2,
        "CAST": 5,
        "CONCATENATION": 2,
        "DEQUANTIZE": 4,
        "DIV": 1,
        "FLOOR_DIV": 2,
        "GATHER_ND": 4,
        "MUL": 5,
        "PACK": 3,
        "QUANTIZE": 7,
        "RESHAPE": 11,
        "SQRT": 1,
        "SUB": 4,
        "UNPACK": 2,
    },
    "posenet": {"PosenetDecoderOp": 1},
    "ssd-segment-3": {"DEQUANTIZE": 2, "TFLite_Detection_PostProcess": 1},
}

CONTENTS = """
file                  name  package keys      chips token            code in param out intr fence all
mobilenet-0.25        model 778240  1,4,5,6,7 18    6d146c3f97d6648c 1    1  0     1   1    0     1
deeplabv3             model 966656  1,4,5,6,7 18    36959a24102f7acd 1    1  0     2   1    0     1
deeplab-slim          model 3059712 1,4,5,6,7 18    3ba7c14e02c13bf3 2    1  0     1   1    6     1
lstm                  model 139264  1,4,5,6,7 18    6cad28922f0b3db3 1    3  1     0   0    0     0
movenet               model 3072000 1,4,5,6,7 18    83f398195dd768f2 1    1  2     5   1    0     1
posenet               -     1597440 1,4,5,6,7 18    26254650b218322f 1    1  0     3   1    0     1
split-concat          model 57344   1,4,5     -     0f5daf073fcc3811 1    3  0     5   1    0     1
mobilenet-0.25-with-3 model 786432  1,4,5,6,7 18    99b484be30458cde 1    1  1     1   1    0     1
mobilenet-0.5-with-3  model 1724416 1,4,5,6,7 18    99b484be30458cde 1    1  1     1   1    0     1
mobilenet-with-v4     model 782336  1,4,5,6,7 18    33a402e35089f945 1    1  1     1   1    0     1
ssd-segment-1         model 1142784 1,4,5,6,7 18    c3725f2f29900b19 1    1  0     2   1    0     1
ssd-segment-3         model 2560000 1,4,5,6,7 18    c3725f2f29900b19 1    4  0     2   1    0     1
mobilenet-0.25-v2.1   model 602112  1,4,5     -     405f7e8fd15e254b 1    1  0     1   1    0     1
mobilenet-0.25-v2.0   model 602112  1,2,4     -     e2dc452b439b2b7a 1    1  0     1   1    0     1
dense-256             model 102400  1,4,5,6,7 18    fce222d70d502fb8 1    1  0     1   1    0     1
looming               model 53248   1,4,5,6,7 18    f8334ad491fd50dc 1    1  0     1   1    0     1
gabor                 model 36864   1,4,5,6,7 18    fb47cac5b08990d8 1    1  0     1   1    0     1
bright-16x16          model 57344   1,4,5,6,7 18    5bc21d7ed7dac9ba 1    1  0     1   1    0     1
bright-128x128        model 606208  1,4,5,6,7 18    204dd3cd2ba6a3cb 1    1  1     1   1    0     1
"""

LAYERS = """
mobilenet-0.25 in input:49152 128,128,3 t0 zp128
mobilenet-0.25 out MobilenetV1/Predictions/Reshape_1:1008 1,1,1001 t0 zp0
deeplabv3 in MobilenetV2/MobilenetV2/input:789512 513,513,3 t0 zp128
deeplabv3 out aspp0/Relu;aspp0/add_fold;concat_projection/C...:278784 33,33,256 t0 zp0
deeplabv3 out image_pooling/Relu;image_pooling/add_fold;con...:256 1,1,256 t0 zp0
deeplab-slim in MobilenetEdgeTPU/MobilenetEdgeTPU/input:789512 513,513,3 t0 zp128
deeplab-slim out ResizeBilinear:21784 33,33,19 t0 zp82
lstm in serving_default_x:0:784 1,28,28 t0 zp0
lstm in tfl.pseudo_qconst:24 1,1,20 t8 zp127
lstm in tfl.pseudo_qconst1:40 1,1,20 t9 zp32768
lstm out StatefulPartitionedCall:0:16 1,1,10 t0 zp0
lstm out tfl.pseudo_qconst_variable_output:24 1,1,20 t8 zp127
lstm out tfl.pseudo_qconst1_variable_output:40 1,1,20 t9 zp32768
movenet in tfl.quantize:110592 192,192,3 t8 zp0
movenet out Reshape_2:9216 1,2304,1 t8 zp0
movenet out Sigmoid:46080 48,48,17 t8 zp0
movenet out Sigmoid1:46080 48,48,17 t8 zp0
movenet out kpt_offset_0/conv2d_7/BiasAdd;kpt_regress_0/c...:82944 48,48,34 t8 zp119
movenet out kpt_regress_0/conv2d_6/BiasAdd;kpt_regress_0/...:82944 48,48,34 t8 zp107
posenet in sub_2:509384 353,481,3 t0 zp128
posenet out float_heatmaps:14264 23,31,17 t0 zp180
posenet out float_short_offsets:25672 23,31,34 t0 zp134
posenet out float_mid_offsets:45632 23,31,64 t0 zp118
split-concat in input1:192 8,8,3 t0 zp128
split-concat in inputs/rnn1:64 8,8,1 t0 zp128
split-concat in inputs/rnn2:128 8,8,2 t0 zp128
split-concat out concat/split0:256 8,8,1 t0 zp128
split-concat out outputs/rnn1:256 8,8,1 t0 zp128
split-concat out concat/split2:256 8,8,1 t0 zp128
split-concat out concat/split4:256 8,8,1 t0 zp128
split-concat out outputs/rnn2:256 8,8,2 t0 zp128
mobilenet-0.25-with-3 in input:49152 128,128,3 t0 zp128
mobilenet-0.25-with-3 out MobilenetV1/Predictions/Reshape_1:1008 1,1,1001 t0 zp0
mobilenet-0.5-with-3 in input:76800 160,160,3 t0 zp128
mobilenet-0.5-with-3 out MobilenetV1/Predictions/Reshape_1:1008 1,1,1001 t0 zp0
mobilenet-with-v4 in input:49152 128,128,3 t0 zp128
mobilenet-with-v4 out MobilenetV1/Predictions/Reshape_1:1008 1,1,1001 t0 zp0
ssd-segment-1 in FeatureExtractor/MobilenetV2/expanded_conv_16...:96000 10,10,960 t0 zp0
ssd-segment-1 out FeatureExtractor/MobilenetV2/Conv_1/Relu6;Fea...:128000 10,10,1280 t0 zp0
ssd-segment-1 out FeatureExtractor/MobilenetV2/layer_19_1_Conv2...:25600 10,10,256 t0 zp0
ssd-segment-3 in FeatureExtractor/MobilenetV2/expanded_conv_13...:207936 19,19,576 t0 zp0
ssd-segment-3 in FeatureExtractor/MobilenetV2/Conv_1/Relu6;Fea...:128000 10,10,1280 t0 zp0
ssd-segment-3 in FeatureExtractor/MobilenetV2/layer_19_2_Conv2...:12800 5,5,512 t0 zp0
ssd-segment-3 in FeatureExtractor/MobilenetV2/layer_19_1_Conv2...:3200 5,5,128 t0 zp0
ssd-segment-3 out Squeeze1:7672 1,1917,4 t0 zp179
ssd-segment-3 out convert_scores:176368 1,1917,91 t0 zp0
mobilenet-0.25-v2.1 in input:49152 128,128,3 t0 zp128
mobilenet-0.25-v2.1 out MobilenetV1/Predictions/Reshape_1:1008 1,1,1001 t0 zp0
mobilenet-0.25-v2.0 in input:49152 128,128,3 t0 zp128
mobilenet-0.25-v2.0 out MobilenetV1/Predictions/Reshape_1:1008 1,1,1001 t0 zp0
dense-256 in serving_default_keras_tensor:0:256 1,1,256 t0 zp127
dense-256 out StatefulPartitionedCall_1:0:256 1,1,256 t0 zp129
looming in serving_default_keras_tensor:0:4096 64,64,1 t0 zp0
looming out StatefulPartitionedCall_1:0:16 1,1,9 t0 zp0
gabor in input:4096 64,64,1 t0 zp0
gabor out output:2048 16,16,8 t0 zp0
bright-16x16 in serving_default_keras_tensor:0:256 1,1,256 t0 zp0
bright-16x16 out StatefulPartitionedCall_1:0:8 1,1,2 t8 zp86
bright-128x128 in serving_default_keras_tensor_62:0:16384 1,1,16384 t0 zp0
bright-128x128 out StatefulPartitionedCall_1:0:8 1,1,2 t8 zp81
"""
