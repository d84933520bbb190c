mod cache;
mod calls;
mod drafts;
mod fixture;
mod hub;
mod pushes;
mod ssh;
