//! Tables on the decision, and the decision carried out in a small world of its own.

mod create;
mod end;
mod fixture;
mod hostile;
mod live;
mod lives;
mod world;
