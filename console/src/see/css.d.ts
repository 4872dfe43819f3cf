/** Styles that the build brings along with the page that names them. */
declare module '*.css';
