mod cache;
mod calls;
mod drafts;
mod fixture;
mod pushes;
mod ssh;
