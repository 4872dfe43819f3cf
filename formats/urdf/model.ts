/** A robot as its URDF describes it: links in a tree of joints. SI units and radians, as in the file. */
export type Vector = readonly [x: number, y: number, z: number];

export type UrdfJointType = 'revolute' | 'continuous' | 'prismatic' | 'fixed' | 'floating' | 'planar';

export type UrdfJoint = {
  readonly name: string;
  readonly type: UrdfJointType;
  readonly parent: string;
  readonly child: string;
  /** Of the child in the frame of the parent at position zero: metres; roll, pitch, yaw in radians, fixed axes. */
  readonly xyz: Vector;
  readonly rpy: Vector;
  /** Unit vector in the frame of the joint. */
  readonly axis: Vector;
  /** Absent for joints without limits. `lower` and `upper` are infinite for a continuous one. */
  readonly limit?: {
    readonly lower: number;
    readonly upper: number;
    readonly velocity: number;
    readonly effort: number;
  };
  /** It follows another joint: `multiplier * position + offset`. */
  readonly mimic?: { readonly joint: string; readonly multiplier: number; readonly offset: number };
};

export type UrdfModel = {
  readonly name: string;
  readonly links: readonly string[];
  readonly joints: readonly UrdfJoint[];
  /** The link without a parent. */
  readonly root: string;
};
