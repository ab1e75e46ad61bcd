/* phantom.h: a brain drawn from numbers. Private to datasets/.
 *
 * An hf_anatomy holds every number that makes one synthetic head differ from another; hf_phantom_render turns it into
 * voxels. What ages, and how, is decided by the caller (anatomy.c), so this file knows shapes only. */
#ifndef HF_PHANTOM_H
#define HF_PHANTOM_H

#include "hfbase.h"

enum { HF_PHANTOM_WAVES = 9, HF_PHANTOM_BIAS = 9 };

/* Lengths in mm of the template, which is about 136 x 174 x 136 mm; x to the right, y to the front, z up. */
typedef struct hf_anatomy {
    double head[3];        /* size of the head along x,y,z relative to the template */
    double ventricle[2];   /* radius of the left and right lateral ventricle, relative to the template */
    double third;          /* half width of the third ventricle, mm */
    double hippocampus[2]; /* radius of the left and right hippocampus, relative to the template */
    double cortex;         /* thickness of the cortical ribbon, mm */
    double sulcus;         /* width of a sulcus, mm */
    double rim;            /* fluid between brain and skull, mm */
    double white;          /* intensities, arbitrary units */
    double grey;
    double fluid;
    double noise;                    /* standard deviation of the noise, same units */
    double bias[HF_PHANTOM_BIAS];    /* log of the coil's gain: x y z xy yz zx x2 y2 z2, coordinates -1..1 */
    double rotation[3];              /* pose: about x, y, z, radians */
    double shift[3];                 /* pose: along x, y, z, mm */
    double warp_phase[3];            /* slow bending of the whole head, radians */
    float wave[HF_PHANTOM_WAVES][4]; /* folding pattern: wave vector (rad/mm) and phase (rad) of each plane wave */
    float depth_wave[4];             /* the same for the variation of sulcal depth */
    uint64_t seed, subject;          /* keys of the voxel noise */
} hf_anatomy;

/* The folding pattern common to all heads, bent by `variation` (0: none, 1: strongly) with keys (seed, subject). */
void hf_phantom_folds(hf_anatomy *anatomy, double variation, uint64_t seed, uint64_t subject);

/* The voxel size at which `shape` takes in the whole head, mm. */
double hf_phantom_spacing(const int shape[3]);

/* voxel (d,h,w,1) -> world mm, origin near the anterior commissure. */
void hf_phantom_affine(double affine[3][4], const int shape[3], double spacing);

/* Draws the head into voxels[D,H,W], RAS+, skull-stripped: background exactly 0, brain above 0. */
void hf_phantom_render(float *voxels, const int shape[3], double spacing, const hf_anatomy *anatomy);

#endif
