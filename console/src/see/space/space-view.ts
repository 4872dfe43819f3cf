/** Draws what the book knows with WebGL. Loaded with the page that shows it: three.js is large. */
import {
  AmbientLight,
  AxesHelper,
  BoxGeometry,
  BufferGeometry,
  type Color,
  type ColorRepresentation,
  ConeGeometry,
  CylinderGeometry,
  DirectionalLight,
  Float32BufferAttribute,
  GridHelper,
  Group,
  Line,
  LineBasicMaterial,
  LineSegments,
  Mesh,
  MeshLambertMaterial,
  type Object3D,
  PerspectiveCamera,
  Points,
  PointsMaterial,
  Scene,
  SphereGeometry,
  WebGLRenderer,
} from 'three';
import { eyeOf, type Orbit } from './orbit.ts';
import { originOf, placeLinks, type RobotShape } from './robot-shape.ts';
import type { SpaceBook } from './space-book.ts';
import type { Place } from './space-frames.ts';
import type { SpaceDrawing, SpaceLayer } from './space-layers.ts';

/** More pixels cost more than they show. */
const RATIO_MAX = 1.5;
/** How far before the camera its image is drawn, metres. */
const IMAGE_M = 0.4;
const LIGHT = {
  ...{ back: 0xf3f5f8, line: 0xc4cad2, scan: 0xb3261e, cloud: 0x0b57d0, path: 0x12763d },
  ...{ goal: 0x8a5a00, camera: 0x7a5bb8, bone: 0x16191d, robot: 0x52606d },
};
const DARK: typeof LIGHT = {
  ...{ back: 0x121519, line: 0x30373f, scan: 0xff8a80, cloud: 0x8ab4f8, path: 0x6bd494 },
  ...{ goal: 0xf2b84b, camera: 0xb79ff0, bone: 0xe8eaed, robot: 0x829ab1 },
};

export type SpaceLook = { readonly dark: boolean; readonly robot: boolean };
export type SpaceDrawn = {
  /** Topics that no transform joins to the fixed frame. */
  readonly lost: readonly string[];
  readonly links: number;
  readonly drawn: number;
  /** Meshes of the description, which are not drawn. */
  readonly meshes: number;
};

type Kept = { readonly drawing: SpaceDrawing; readonly object: Object3D; readonly dark: boolean };

export class SpaceView {
  readonly #renderer: WebGLRenderer;
  readonly #scene = new Scene();
  readonly #camera = new PerspectiveCamera(50, 1, 0.02, 1_000);
  readonly #layers = new Map<string, Kept>();
  #robot:
    | { readonly shape: RobotShape | undefined; readonly group: Group; readonly dark: boolean }
    | undefined;
  #floor: { readonly object: GridHelper; readonly dark: boolean } | undefined;

  /** Throws where the browser has no WebGL. */
  constructor(canvas: HTMLCanvasElement) {
    this.#renderer = new WebGLRenderer({ canvas, antialias: true, powerPreference: 'low-power' });
    this.#camera.up.set(0, 0, 1);
    const sun = new DirectionalLight(0xffffff, 1.6);
    sun.position.set(3, -4, 8);
    this.#scene.add(new AmbientLight(0xffffff, 1.4), sun, new AxesHelper(0.5));
  }

  /** One image of this moment. */
  draw(book: SpaceBook, layers: readonly SpaceLayer[], orbit: Orbit, look: SpaceLook): SpaceDrawn {
    const { clientWidth: width, clientHeight: height } = this.#renderer.domElement;
    this.#renderer.setPixelRatio(Math.min(RATIO_MAX, devicePixelRatio));
    this.#renderer.setSize(width, height, false);
    this.#camera.aspect = width / Math.max(1, height);
    this.#camera.updateProjectionMatrix();
    this.#camera.position.set(...eyeOf(orbit));
    this.#camera.lookAt(...orbit.target);
    const colours = look.dark ? DARK : LIGHT;
    this.#renderer.setClearColor(colours.back);
    this.#drawFloor(look.dark);
    const links = this.#drawRobot(book, look);
    const lost = this.#drawLayers(book, layers, look.dark);
    this.#renderer.render(this.#scene, this.#camera);
    const meshes = book.shape?.visuals.filter(({ shape }) => shape.kind === 'mesh').length ?? 0;
    return { lost, links, meshes, drawn: this.#layers.size - lost.length };
  }

  dispose(): void {
    for (const { object } of this.#layers.values()) free(object);
    if (this.#robot) free(this.#robot.group);
    if (this.#floor) free(this.#floor.object);
    this.#renderer.dispose();
  }

  #drawFloor(dark: boolean): void {
    if (this.#floor?.dark === dark) return;
    if (this.#floor) this.#remove(this.#floor.object);
    const { line } = dark ? DARK : LIGHT;
    const object = new GridHelper(20, 20, line, line);
    object.rotation.x = Math.PI / 2;
    this.#scene.add(object);
    this.#floor = { object, dark };
  }

  /** How many links are placed. */
  #drawRobot(book: SpaceBook, { dark, robot: isOn }: SpaceLook): number {
    if (this.#robot?.shape !== book.shape || this.#robot?.dark !== dark) {
      if (this.#robot) this.#remove(this.#robot.group);
      const group = book.shape ? robotOf(book.shape, dark) : markOf(dark);
      this.#scene.add(group);
      this.#robot = { shape: book.shape, group, dark };
    }
    const { group, shape } = this.#robot!;
    group.visible = isOn;
    if (!shape) {
      const { robot } = book;
      group.visible &&= robot !== undefined;
      if (robot) put(group, robot);
      return 0;
    }
    const { fixedFrame, frames, joints } = book;
    const places = placeLinks(shape.model, joints, (link) =>
      frames.has(link) ? frames.find(fixedFrame, link) : undefined,
    );
    for (const child of group.children) {
      const place = places.get(child.name);
      if (child.name !== '') child.visible = place !== undefined;
      if (place) put(child, place);
    }
    const bones = group.children.at(-1) as LineSegments;
    const ends = shape.model.joints.flatMap(({ parent, child }) => {
      const [from, to] = [places.get(parent), places.get(child)];
      return from && to ? [...from.at, ...to.at] : [];
    });
    bones.geometry.setAttribute('position', new Float32BufferAttribute(ends, 3));
    return places.size;
  }

  #drawLayers(book: SpaceBook, layers: readonly SpaceLayer[], dark: boolean): string[] {
    const lost: string[] = [];
    const wanted = new Set(layers.map(({ topic }) => topic));
    for (const [topic, { object }] of this.#layers)
      if (!wanted.has(topic)) {
        this.#remove(object);
        this.#layers.delete(topic);
      }
    for (const { topic } of layers) {
      const drawing = book.shown(topic);
      if (!drawing) continue;
      const before = this.#layers.get(topic);
      if (before?.drawing !== drawing || before.dark !== dark) {
        if (before) this.#remove(before.object);
        const object = objectOf(drawing, dark);
        this.#scene.add(object);
        this.#layers.set(topic, { drawing, object, dark });
      }
      const { object } = this.#layers.get(topic)!;
      const place = book.frames.find(book.fixedFrame, drawing.frame);
      object.visible = place !== undefined;
      if (place) put(object, place);
      else lost.push(topic);
    }
    return lost;
  }

  #remove(object: Object3D): void {
    this.#scene.remove(object);
    free(object);
  }
}

function put(object: Object3D, { at, turn }: Place): void {
  object.position.set(...at);
  object.quaternion.set(...turn);
}

/** Memory of the graphics card is not collected with the object. */
function free(object: Object3D): void {
  object.traverse((one) => {
    const { geometry, material } = one as Mesh;
    geometry?.dispose();
    for (const each of Array.isArray(material) ? material : material ? [material] : []) each.dispose();
  });
}

/** A group for each link by its name, and the bones between them last. */
function robotOf({ model, visuals }: RobotShape, dark: boolean): Group {
  const { robot, bone } = dark ? DARK : LIGHT;
  const group = new Group();
  for (const link of model.links) {
    const part = new Group();
    part.name = link;
    for (const visual of visuals.filter((one) => one.link === link)) {
      const geometry = geometryOf(visual.shape);
      if (!geometry) continue;
      const [r, g, b, opacity = 1] = visual.rgba ?? [];
      const material = new MeshLambertMaterial({ color: robot, opacity, transparent: opacity < 1 });
      if (r !== undefined) (material.color as Color).setRGB(r, g!, b!);
      const mesh = new Mesh(geometry, material);
      put(mesh, originOf(visual));
      part.add(mesh);
    }
    group.add(part);
  }
  group.add(new LineSegments(new BufferGeometry(), new LineBasicMaterial({ color: bone })));
  return group;
}

function geometryOf(shape: RobotShape['visuals'][number]['shape']): BufferGeometry | undefined {
  if (shape.kind === 'box') return new BoxGeometry(...shape.size);
  if (shape.kind === 'sphere') return new SphereGeometry(shape.radius, 20, 12);
  if (shape.kind === 'mesh') return undefined;
  // In a URDF a cylinder stands along z, here along y.
  return new CylinderGeometry(shape.radius, shape.radius, shape.length, 20).rotateX(Math.PI / 2);
}

/** A robot without a description: an arrow along x. */
function markOf(dark: boolean): Group {
  const cone = new ConeGeometry(0.15, 0.45, 12).rotateZ(-Math.PI / 2);
  const material = new MeshLambertMaterial({ color: (dark ? DARK : LIGHT).robot });
  return new Group().add(new Mesh(cone, material));
}

function objectOf(drawing: SpaceDrawing, dark: boolean): Object3D {
  const colour = (dark ? DARK : LIGHT)[drawing.kind];
  if (drawing.kind === 'goal') return goalOf(drawing.place, colour);
  if (drawing.kind === 'camera') return frustumOf(drawing.corners, colour);
  const geometry = new BufferGeometry();
  geometry.setAttribute('position', new Float32BufferAttribute(drawing.points, 3));
  if (drawing.kind === 'path') return new Line(geometry, new LineBasicMaterial({ color: colour }));
  const size = drawing.kind === 'scan' ? 4 : 2;
  return new Points(geometry, new PointsMaterial({ color: colour, size, sizeAttenuation: false }));
}

function goalOf(place: Place, colour: ColorRepresentation): Object3D {
  const arrow = new Mesh(
    new ConeGeometry(0.1, 0.35, 12).rotateZ(-Math.PI / 2),
    new MeshLambertMaterial({ color: colour }),
  );
  put(arrow, place);
  return new Group().add(arrow);
}

function frustumOf(corners: readonly (readonly number[])[], colour: ColorRepresentation): Object3D {
  const ends = corners.map((corner) => corner.map((one) => one * IMAGE_M));
  const lines = ends.flatMap((end, i) => [0, 0, 0, ...end, ...end, ...ends[(i + 1) % ends.length]!]);
  const geometry = new BufferGeometry();
  geometry.setAttribute('position', new Float32BufferAttribute(lines, 3));
  return new LineSegments(geometry, new LineBasicMaterial({ color: colour }));
}
