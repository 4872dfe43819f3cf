/** The schema language of the house, for rooms that describe values of their own. */
export { type Static, type TSchema, Type } from 'typebox';
